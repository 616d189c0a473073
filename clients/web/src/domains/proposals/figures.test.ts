import { describe, expect, it } from 'vitest'

import type { Figure, FigurePart } from '@/api/figures'

import { behind, GROUPS, HEADLINES, percent, piecesOf, ranked, sessionFigures, shareOf } from './figures'

function figure(code: string, counted: number, out_of: number | null = null): Figure {
  return { code, title: code, of: '件', counted, out_of, explanation: '' }
}

function part(name: string, ...figures: Figure[]): FigurePart {
  return { key: name, name, figures, mean_days: null }
}

describe('a share', () => {
  it('is of the whole, and of nothing it is none', () => {
    expect(percent(shareOf(figure('on_time', 7, 8)))).toBe('87.5%')
    expect(percent(shareOf(figure('on_time', 8, 8)))).toBe('100%')
    expect(percent(shareOf(figure('on_time', 0, 8)))).toBe('0%')
    expect(percent(shareOf(figure('on_time', 0, 0)))).toBe('—')
    expect(percent(shareOf(figure('entered', 40)))).toBe('—')
  })
})

describe('the list behind a number', () => {
  it('is of the whole sitting, or of one part of it', () => {
    expect(behind({ sitting: 's', by: 'organ' }, 'replied', false)).toEqual({
      path: '/proposals', query: { sitting: 's', figure: 'replied', counted: 'false' },
    })
    expect(behind({ sitting: 's', by: 'category', part: '城乡建设' }, 'solved', true)).toEqual({
      path: '/proposals', query: { sitting: 's', figure: 'solved', counted: 'true', by: 'category', part: '城乡建设' },
    })
  })
})

describe('pictures', () => {
  it('show the greatest part first and leave out who has none', () => {
    const parts = [part('a', figure('given_out', 2)), part('b'), part('c', figure('given_out', 5))]
    expect(ranked(parts, 'given_out').map((one) => one.name)).toEqual(['c', 'a'])
  })

  it('put the pieces of a bar one behind the other', () => {
    const figures = [figure('solved', 3, 5), figure('planned', 0, 5), figure('not_yet', 2, 5)]
    expect(piecesOf(figures, ['solved', 'planned', 'not_yet'], 10)).toEqual([
      { code: 'solved', count: 3, from: 0, width: 30 },
      { code: 'not_yet', count: 2, from: 30, width: 20 },
    ])
    expect(piecesOf(figures, ['solved'], 0)[0]?.width).toBe(0)
  })

  it('name each figure once', () => {
    const all = Object.values(GROUPS).flat()
    expect(new Set(all).size).toBe(all.length)
    expect(HEADLINES.filter((code) => !all.includes(code))).toEqual([])
  })
})

describe('sittings side by side', () => {
  it('are counted from their states and classes', () => {
    const states = { draft: 4, filed: 1, handling: 3, replied: 2, tracking: 1, closed: 4, rejected: 1 }
    const found = sessionFigures({ sitting: { id: 's', name: '四次' }, states, results: { A: 5, B: 2 } })
    const pairs = Object.fromEntries(found.map((one) => [one.code, [one.counted, one.out_of]]))
    expect(pairs).toEqual({
      filed: [11, 12], given_out: [10, 11], replied: [7, 10], closed: [5, 10],
      solved: [5, 7], planned: [2, 7], not_yet: [0, 7], for_reference: [0, 7],
    })
  })
})
