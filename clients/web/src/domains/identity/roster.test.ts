import { describe, expect, it } from 'vitest'

import type { Duty } from '@/api/directory'

import { dutiesOn, fromField, moved, toField, weekOf } from './roster'

const duty = (starts: string, ends: string) => ({ starts_at: fromField(starts), ends_at: fromField(ends) }) as Duty

describe('the week', () => {
  it('runs from Monday to Sunday, over the ends of months and years', () => {
    expect(weekOf('2026-12-31')).toEqual([
      '2026-12-28', '2026-12-29', '2026-12-30', '2026-12-31', '2027-01-01', '2027-01-02', '2027-01-03',
    ])
    expect(weekOf('2026-11-29')[0]).toBe('2026-11-23')
    expect(moved('2026-02-28', 1)).toBe('2026-03-01')
  })
})

describe('dutiesOn', () => {
  it('shows a duty over midnight on both days, and one that ends at midnight on one', () => {
    const night = duty('2026-12-01T18:00', '2026-12-02T08:00')
    const evening = duty('2026-12-01T18:00', '2026-12-02T00:00')
    expect(dutiesOn([night, evening], '2026-12-01')).toEqual([night, evening])
    expect(dutiesOn([night, evening], '2026-12-02')).toEqual([night])
    expect(dutiesOn([night, evening], '2026-12-03')).toEqual([])
  })
})

describe('fields of moments', () => {
  it('come back as they were', () => {
    expect(toField(fromField('2026-12-01T08:30'))).toBe('2026-12-01T08:30')
  })
})
