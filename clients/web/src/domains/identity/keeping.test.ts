import { describe, expect, it } from 'vitest'

import { Problem } from '@/api/problem'
import { zh } from '@/words/zh'

import { factsOf, newDifferenceOf, problemsOf } from './keeping'

const refused = (facts: Record<string, unknown>) => new Problem(409, 'x', 'x', facts)

describe('what a refusal names', () => {
  it('is the people who are still there, or the tasks that would be left to nobody', () => {
    expect(factsOf(refused({ people: ['甲', '乙'], systems: ['丙'] }), zh)).toBe('甲、乙、丙')
    const tasks = [{ step: '拟稿', doc_no: '', since: '2026-12-01' }]
    expect(factsOf(refused({ tasks, count: 1 }), zh)).toContain('拟稿 2026-12-01')
    expect(factsOf(new Error('x'), zh)).toBe('')
  })
  it('is each cell of a wrong sheet, or the difference that is true now', () => {
    expect(problemsOf(refused({ problems: [{ row: 2 }] }))).toEqual([{ row: 2 }])
    expect(problemsOf(refused({}))).toEqual([])
    expect(problemsOf(refused({ sheet: '人员', row: 3 }))[0]).toMatchObject({ sheet: '人员', row: 3, message: 'x' })
    expect(newDifferenceOf(refused({ difference: { digest: 'd' } }))).toEqual({ digest: 'd' })
    expect(newDifferenceOf(refused({}))).toBeNull()
  })
})
