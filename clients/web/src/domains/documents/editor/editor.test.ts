import { Editor } from '@tiptap/core'
import { createPinia, setActivePinia } from 'pinia'
import { describe, expect, it } from 'vitest'
import { createApp, h, nextTick, ref } from 'vue'

import type { Block, Body } from '@/api/types'

import BodyEditor from './BodyEditor.vue'
import { fromEditor, hasText, toEditor } from './body'
import { chinese, isHeading, levelOf, nextOrdinal, numberFor, renumbered, withoutNumber } from './numbering'
import { extensions } from './schema'

const BODY: Body = {
  type: 'doc',
  content: [
    { type: 'heading', level: 1, text: '一、总体要求' },
    { type: 'paragraph', text: '各单位要高度重视。' },
    { type: 'paragraph', text: '' },
    { type: 'table', header: true, rows: [['单位', '责任人'], ['市水务局', '王建国\n李敏']] },
    { type: 'table', header: false, landscape: true, rows: [['一季度', '二季度', '三季度', '四季度']] },
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

describe('landscape tables', () => {
  const inFirstCell = 4

  function editorWith(content: object): Editor {
    return new Editor({ extensions: extensions(''), content })
  }
  it('stay turned in the editor, and when copied', () => {
    const editor = editorWith(toEditor(BODY))
    expect(fromEditor(editor.getJSON())).toEqual(BODY)
    const copy = new Editor({ extensions: extensions(''), content: editor.getHTML() })
    expect(fromEditor(copy.getJSON()).content.slice(-2).map((block) => 'landscape' in block)).toEqual([false, true])
  })
  it('are turned, and turned back, by a button that the keyboard reaches', async () => {
    setActivePinia(createPinia())
    const body = ref<Body>({ type: 'doc', content: [{ type: 'table', header: false, rows: [['甲', '乙']] }] })
    const place = document.body.appendChild(document.createElement('div'))
    const app = createApp(() => h(BodyEditor, { modelValue: body.value, 'onUpdate:modelValue': (now: Body) => (body.value = now) }))
    app.mount(place)
    await nextTick()
    const text = place.querySelector<HTMLElement & { editor: Editor }>('.ProseMirror')
    text?.editor.commands.setTextSelection(inFirstCell)
    await nextTick()
    const button = () => place.querySelector<HTMLButtonElement>('[data-test="table-landscape"]')
    expect([button()?.textContent, button()?.tabIndex, button()?.getAttribute('aria-pressed')]).toEqual(['横排', 0, 'false'])
    button()?.click()
    await nextTick()
    expect(body.value.content).toEqual([{ type: 'table', header: false, landscape: true, rows: [['甲', '乙']] }])
    expect(button()?.getAttribute('aria-pressed')).toBe('true')
    expect(place.querySelector('table[data-landscape]')).not.toBeNull()
    button()?.click()
    await nextTick()
    expect(place.querySelector('table[data-landscape]')).toBeNull()
    expect(body.value.content).toEqual([{ type: 'table', header: false, rows: [['甲', '乙']] }])
    app.unmount()
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
