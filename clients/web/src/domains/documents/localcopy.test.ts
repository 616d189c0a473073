import { beforeEach, describe, expect, it } from 'vitest'

import type { Draft } from '@/api/types'

import { asText, differingElements, LocalCopies, sameDraft } from './localcopy'

function draft(title: string, text = '正文'): Draft {
  return {
    elements: {
      kind: 'notice', title, urgency: 'normal', classification: 'none', classify_years: null, copy_no: '', main_recipients: ['a'],
      copies_to: [], signer_id: null, note: '', publicity: 'on_request', printing_organ: '',
      main_recipients_as: '', copies_to_as: '',
    },
    body: { type: 'doc', content: [{ type: 'paragraph', text }, { type: 'table', header: true, rows: [['甲', '乙']] }] },
  }
}

describe('LocalCopies', () => {
  beforeEach(() => localStorage.clear())

  it('gives back what was written, to the same person only', () => {
    new LocalCopies('zhang').write('new', { draft: draft('通知'), etag: null })
    expect(new LocalCopies('zhang').read('new')?.draft.elements.title).toBe('通知')
    expect(new LocalCopies('li').read('new')).toBeNull()
  })
  it('forgets what was dropped and survives what is not JSON', () => {
    const copies = new LocalCopies('zhang')
    copies.write('1', { draft: draft('通知'), etag: '3' })
    copies.drop('1')
    localStorage.setItem('oa-draft:zhang:2', '{')
    expect([copies.read('1'), copies.read('2')]).toEqual([null, null])
  })
})

describe('comparing drafts', () => {
  it('names the elements that differ', () => {
    expect(differingElements(draft('甲').elements, { ...draft('乙').elements, copies_to: ['b'] })).toEqual(['title', 'copies_to'])
  })
  it('sees a changed body', () => {
    expect(sameDraft(draft('甲'), draft('甲'))).toBe(true)
    expect(sameDraft(draft('甲'), draft('甲', '别的'))).toBe(false)
  })
  it('writes a draft as text with tabs between cells', () => {
    expect(asText(draft('关于防汛的通知'))).toBe('关于防汛的通知\n\n正文\n甲\t乙')
  })
})
