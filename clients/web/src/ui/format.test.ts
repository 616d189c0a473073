import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import { date, dateTime, dueState, size } from './format'
import { usePrefs } from './prefs'

describe('format', () => {
  beforeEach(() => setActivePinia(createPinia()))

  it('writes sizes in the largest unit that fits', () => {
    expect([size(0), size(1023), size(1536), size(1 << 30)]).toEqual(['0 B', '1023 B', '1.5 KB', '1.0 GB'])
  })
  it('writes no moment as nothing', () => {
    expect(dateTime(null)).toBe('')
  })
  it('writes moments and days as the language has them', () => {
    const moment = new Date(2026, 2, 5, 8, 7).toISOString()
    expect(dateTime(moment)).toBe('2026年3月5日 08:07')
    expect(date('2026-11-26')).toBe('2026年11月26日')
    usePrefs().language = 'en'
    expect(dateTime(moment)).toBe('2026-03-05 08:07')
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
