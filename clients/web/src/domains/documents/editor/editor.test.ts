import { describe, expect, it } from 'vitest'

import type { Block, Body } from '@/api/types'

import { fromEditor, hasText, toEditor } from './body'
import { chinese, isHeading, levelOf, nextOrdinal, numberFor, renumbered, withoutNumber } from './numbering'

const BODY: Body = {
  type: 'doc',
  content: [
    { type: 'heading', level: 1, text: '一、总体要求' },
    { type: 'paragraph', text: '各单位要高度重视。' },
    { type: 'paragraph', text: '' },
    { type: 'table', header: true, rows: [['单位', '责任人'], ['市水务局', '王建国\n李敏']] },
  ],
}

describe('body', () => {
  it('comes back from the editor as it went in', () => {
    expect(fromEditor(toEditor(BODY))).toEqual(BODY)
  })
  it('gives the editor one empty paragraph for an empty body', () => {
    expect(toEditor({ type: 'doc', content: [] }).content).toHaveLength(1)
  })
  it('fills ragged rows of pasted tables', () => {
    const cell = (text: string) => ({ type: 'tableCell', content: [{ type: 'paragraph', content: [{ type: 'text', text }] }] })
    const rows = [{ type: 'tableRow', content: [cell('a'), cell('b')] }, { type: 'tableRow', content: [cell('c')] }]
    const [table] = fromEditor({ type: 'doc', content: [{ type: 'table', content: rows }] }).content
    expect(table).toEqual({ type: 'table', header: false, rows: [['a', 'b'], ['c', '']] })
  })
  it('tells text from mere empty lines', () => {
    expect(hasText(BODY)).toBe(true)
    expect(hasText({ type: 'doc', content: [{ type: 'paragraph', text: '　 ' }] })).toBe(false)
  })
})

describe('numbering', () => {
  it('reads the level off the number', () => {
    expect(['一、甲', '（二）乙', '3.丙', '（4）丁', '2026年', '3.5万元'].map(levelOf)).toEqual([1, 2, 3, 4, 0, 0])
  })
  it('takes a numbered sentence for text, not for a heading', () => {
    expect(isHeading('一、总体要求')).toBe(true)
    expect(isHeading('1.各单位要于3月底前报送。')).toBe(false)
  })
  it('counts in Chinese', () => {
    expect([1, 9, 10, 11, 20, 35, 99].map(chinese)).toEqual(['一', '九', '十', '十一', '二十', '三十五', '九十九'])
  })
  it('counts each level within the heading above it', () => {
    const levels = [1, 2, 2, 1, 2].map((level) => ({ level }))
    expect(nextOrdinal(levels, 2)).toBe(2)
    expect(nextOrdinal(levels, 1)).toBe(3)
    expect(numberFor(2, 2)).toBe('（二）')
  })
  it('numbers all headings anew and leaves their words alone', () => {
    const headings: Block[] = [1, 2, 1, 2, 2].map((level) => ({ type: 'heading', level, text: '九、要求' }))
    expect(renumbered(headings).map((block) => (block.type === 'heading' ? block.text : ''))).toEqual([
      '一、要求', '（一）要求', '二、要求', '（一）要求', '（二）要求',
    ])
    expect(withoutNumber('（三） 组织保障')).toBe('组织保障')
  })
})
