import { describe, expect, it } from 'vitest'

import { dateTime, dueState, size } from './format'

describe('format', () => {
  it('writes sizes in the largest unit that fits', () => {
    expect([size(0), size(1023), size(1536), size(1 << 30)]).toEqual(['0 B', '1023 B', '1.5 KB', '1.0 GB'])
  })
  it('writes no moment as nothing', () => {
    expect(dateTime(null)).toBe('')
  })
  it('tells overdue from due today and due later', () => {
    const now = new Date(2026, 2, 5, 12)
    const at = (day: number, hour: number) => new Date(2026, 2, day, hour).toISOString()
    expect(dueState(at(5, 11), now)).toBe('overdue')
    expect(dueState(at(5, 18), now)).toBe('today')
    expect(dueState(at(6, 9), now)).toBe('later')
    expect(dueState(null, now)).toBe('later')
  })
})
