import { describe, expect, it } from 'vitest'

import { readDay, readSpans, seasonsOf, spansText } from './hours'

const FORM = { hours: '8:30-12:00，14:00-17:30', hasSummer: false, summer: '8:30–12:00、14：30至18：00', summerFrom: '5月1日', summerTo: '10-1' }

describe('office hours', () => {
  it('are read as people write them', () => {
    expect(readSpans(FORM.hours)).toEqual([['08:30', '12:00'], ['14:00', '17:30']])
    expect(readSpans(FORM.summer)).toEqual([['08:30', '12:00'], ['14:30', '18:00']])
    for (const text of ['', '8:30', '8:30-12', '上午', '8:30-12:00，下午']) expect(readSpans(text)).toBeNull()
  })

  it('begin on a day of every year', () => {
    expect(['5月1日', '5-1', '05.01'].map(readDay)).toEqual(['05-01', '05-01', '05-01'])
    expect(['五一', '', '2026-05-01'].map(readDay)).toEqual([null, null, null])
  })

  it('make one season or two', () => {
    expect(seasonsOf(FORM)?.map((one) => one.begins)).toEqual(['01-01'])
    expect(seasonsOf({ ...FORM, hasSummer: true })?.map((one) => [one.begins, spansText(one.spans)])).toEqual([
      ['05-01', '08:30–12:00，14:30–18:00'], ['10-01', '08:30–12:00，14:00–17:30'],
    ])
    expect(seasonsOf({ ...FORM, hasSummer: true, summerTo: '秋天' })).toBeNull()
  })
})
