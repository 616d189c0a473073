import { describe, expect, it } from 'vitest'

import { organMatches, treeOf } from './directory'

const organ = (id: string, superior_id: string | null) => ({
  id, code: `JZ${id}`, name: `江州市${id}局`, short_name: `市${id}局`, level: 'city', superior_id,
})

describe('treeOf', () => {
  it('hangs organs under their superiors and keeps strangers at the top', () => {
    const tree = treeOf([organ('1', null), organ('2', '1'), organ('3', '1'), organ('4', 'unseen')])
    expect(tree.map((branch) => branch.organ.id)).toEqual(['1', '4'])
    expect(tree[0]?.below.map((branch) => branch.organ.id)).toEqual(['2', '3'])
  })
})

describe('organMatches', () => {
  it('finds an organ by name, short name or code', () => {
    const one = organ('7', null)
    expect(['江州市7', '市7局', 'jz7', ''].every((typed) => organMatches(one, typed))).toBe(true)
    expect(organMatches(one, '财政')).toBe(false)
  })
})
