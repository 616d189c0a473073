import { describe, expect, it } from 'vitest'

import { isFilled, trimmed, valuesOf } from './fields'

describe('a described form', () => {
  it('begins with the values that its fields have', () => {
    const fields = [{ key: 'name', label: '', value: '王' }, { key: 'flag', label: '', kind: 'flag' as const }, { key: 'none', label: '' }]
    expect(valuesOf(fields)).toEqual({ name: '王', flag: false, none: '' })
  })
  it('takes spaces for nothing where something is needed', () => {
    const needed = { key: 'name', label: '', required: true }
    expect([isFilled(needed, ' '), isFilled(needed, '王'), isFilled({ key: 'x', label: '' }, '')]).toEqual([false, true, true])
  })
  it('sends texts without spaces at their ends, and null for a choice that was not made', () => {
    expect(trimmed({ name: ' 王 ', unit: '', flag: true }, ['unit'])).toEqual({ name: '王', unit: null, flag: true })
  })
})
