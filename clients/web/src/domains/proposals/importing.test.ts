import { describe, expect, it } from 'vitest'

import type { ImportReport } from '@/api/proposals'

import { outcomesOf, problemsByRow } from './importing'

const REPORT = {
  counts: { new: 2, changed: 0, unchanged: 0, kept: 0, refused: 1 },
  rows: [{ row: 2 }, { row: 3 }],
  problems: [
    { sheet: '提案', row: 3, column: '届次', code: 'x', message: '不符' },
    { sheet: '附议人', row: 3, column: '案号', code: 'x', message: '没有' },
    { sheet: '提案', row: 1, column: '', code: 'x', message: '缺少列' },
  ],
} as unknown as ImportReport

describe('the report of a sheet', () => {
  it('counts what occurs, what is wrong first', () => {
    expect(outcomesOf(REPORT)).toEqual([{ key: 'refused', count: 1 }, { key: 'new', count: 2 }])
    expect(outcomesOf(null)).toEqual([])
  })

  it('marks a row with its own problems, and the file with those of headers and other sheets', () => {
    const found = problemsByRow(REPORT)
    expect(found.get(3)?.map(({ column }) => column)).toEqual(['届次'])
    expect(found.get(0)?.map(({ message }) => message)).toEqual(['没有', '缺少列'])
  })
})
