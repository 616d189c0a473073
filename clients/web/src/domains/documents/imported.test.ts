import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import { Problem } from '@/api/problem'

import { importProblem } from './imported'

describe('importProblem', () => {
  beforeEach(() => setActivePinia(createPinia()))

  const refusal = (facts?: Record<string, unknown>) => importProblem(new Problem(413, 'documents.docx_columns', '未导入', facts))

  it('names the table, cell or paragraph that is beyond the limit', () => {
    expect(refusal({ table: 2, found: 25, limit: 20 })).toBe('未导入（第2个表格：25）')
    expect(refusal({ table: 1, row: 3, column: 4, found: 2500 })).toBe('未导入（第1个表格第3行第4列：2500字）')
    expect(refusal({ begins: '为贯彻', found: 30_000 })).toBe('未导入（“为贯彻……”：30000字）')
  })
  it('says of anything else what the server says', () => {
    expect(refusal({ limit: 2000 })).toBe('未导入')
    expect(refusal()).toBe('未导入')
  })
})
