import { describe, expect, it } from 'vitest'

import { chosenIn, isNarrowed, queryOf } from './filter'

const EMPTY = { q: '', state: '', since: '', sort: 'newest', mine: false }

describe('a filter', () => {
  it('stands in the address with what was chosen, and comes back from there', () => {
    const filter = { ...EMPTY, q: '防汛', sort: 'oldest', mine: true }
    expect(queryOf(filter, EMPTY)).toEqual({ q: '防汛', sort: 'oldest', mine: 'true' })
    expect({ ...EMPTY, ...chosenIn(queryOf(filter, EMPTY), EMPTY) }).toEqual(filter)
  })
  it('takes nothing from the address that it does not know', () => {
    expect(chosenIn({ done: 'sign', q: ['a', 'b'] }, EMPTY)).toEqual({})
  })
  it('tells a narrowed list from one that is only ordered', () => {
    expect(isNarrowed({ ...EMPTY, sort: 'oldest' })).toBe(false)
    expect(isNarrowed({ ...EMPTY, since: '2026-03-05' })).toBe(true)
  })
})
