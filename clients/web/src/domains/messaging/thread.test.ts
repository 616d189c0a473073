import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import type { Message } from '@/api/messaging'
import { zh } from '@/words/zh'

import { MemoryKeep } from './keep'
import { notes, summary } from './notes'
import { rowsOf } from './rows'
import { cleaned, nameBegun, piecesOf } from './text'
import { merged, PAGE, pageBefore } from './thread'
import { Heights, Layout } from './windowing'

const ME = { id: 'me', name: 'Me' }

function message(seq: number, more: Partial<Message> = {}): Message {
  return {
    conversation_id: 'c', seq, cid: `c${seq}`, sender_id: 'wang', sender: 'Wang', at: `2026-11-28T01:00:${String(seq % 60).padStart(2, '0')}Z`,
    kind: 'text', text: `m${seq}`, mentions: [], reply_to: null, files: [], recalled: null, ...more,
  }
}

const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => message(from + n))

describe('the words of a message', () => {
  const links = (text: string) => piecesOf(text, []).filter(({ kind }) => kind === 'link').map((one) => one.text)

  it('make only whole http addresses lead anywhere, and none that could be taken for another', () => {
    expect(links('见 https://www.gov.cn/a?b=1，以及http://10.0.0.1:8080/x。')).toEqual(['https://www.gov.cn/a?b=1', 'http://10.0.0.1:8080/x'])
    expect(links('javascript:alert(1) file:///etc/passwd data:text/html,x ftp://a.b')).toEqual([])
    expect(links('https://www.gov.cn@evil.example/')).toEqual([])
    expect(links('https://www.g\u043ev.cn/')).toEqual([])
  })
  it('mark who is mentioned, and no other word behind an @', () => {
    const pieces = piecesOf('@王建国 请看 a@b.cn @李红', ['王建', '王建国'])
    expect(pieces.filter(({ kind }) => kind === 'mention').map((one) => one.text)).toEqual(['@王建国'])
    expect(pieces.map((one) => one.text).join('')).toBe('@王建国 请看 a@b.cn @李红')
  })
  it('lose the marks that turn text round or hide in it, and keep lines and joined letters', () => {
    expect(cleaned('a\u202eb\u200bc\r\nd\u0007\te\u200df')).toBe('abc\nd\te\u200df')
  })
  it('know where a name is begun', () => {
    expect([nameBegun('请@'), nameBegun('请 @王'), nameBegun('a@b'), nameBegun('@王 好')]).toEqual(['', '王', null, null])
  })
})

describe('the lines of a thread', () => {
  beforeEach(() => setActivePinia(createPinia()))

  it('part days, say a name once, and show what waits at the end once', () => {
    const yesterday = message(1, { at: '2026-11-26T01:00:00Z' })
    const mine = message(4, { sender_id: 'me', sender: 'Me', cid: 'sent' })
    const waiting = { cid: 'new', conversation_id: 'c', text: 'x', mentions: [], reply_to: null, files: [], at: '2026-11-28T01:01:00Z', problem: '' }
    const rows = rowsOf([yesterday, message(2), message(3), mine], [{ ...waiting, cid: 'sent' }, waiting], ME, 2)
    expect(rows.map((row) => [row.message.seq, row.isNewDay, row.isContinued, row.isFirstUnread])).toEqual([
      [1, true, false, false], [2, true, false, false], [3, false, false, true], [4, false, false, false],
      [0, false, true, false],
    ])
    expect(rows.at(-1)?.queued?.cid).toBe('new')
  })
  it('tell what was done with the conversation, and that a message was taken back', () => {
    const recalled = message(1, { recalled: { at: '', by: 'Wang', reason: '' } })
    expect(notes(recalled, 'me', zh)).toBe('Wang撤回了一条消息')
    expect(notes(message(2, { kind: 'joined', mentions: ['me'], text: 'Me' }), 'me', zh)).toBe('Wang邀请您加入会话')
    expect(summary(message(3, { kind: 'file', text: '', files: [{ id: 'f', name: 'a.pdf', size: 1, media_type: '' }] }), 'me', zh, true)).toBe('Wang：[文件] a.pdf')
    expect(rowsOf([recalled, message(2, { kind: 'recall', reply_to: 1 })], [], ME, 9)).toHaveLength(1)
  })
  it('stand in their order, each once, the newer report of two counting', () => {
    expect(merged(run(3, 4), [message(5), message(3, { text: 'new' }), ...run(1, 2)]).map((one) => one.text)).toEqual(['m1', 'm2', 'new', 'm4', 'm5'])
  })
})

describe('reading back', () => {
  const nobody = () => Promise.reject(new Error('offline'))

  it('takes what is kept where nothing lacks in it, and asks the server where something does', async () => {
    const keep = new MemoryKeep()
    await keep.apply({ messages: [...run(100, 119), ...run(121, 200)] })
    expect((await pageBefore(keep, nobody, 'c', 201)).items.map((one) => one.seq)).toEqual(run(201 - PAGE, 200).map((one) => one.seq))
    const answer = async () => ({ items: run(81, 140), more: true })
    const page = await pageBefore(keep, answer, 'c', 141)
    expect([page.items.length, page.more]).toEqual([60, true])
    expect((await keep.message('c', 120))?.text).toBe('m120')
  })
  it('shows what is kept when the server cannot be reached', async () => {
    const keep = new MemoryKeep()
    await keep.apply({ messages: run(5, 9) })
    expect((await pageBefore(keep, nobody, 'c', 10)).items).toHaveLength(5)
    await expect(pageBefore(keep, nobody, 'c', 5)).rejects.toThrow('offline')
  })
})

describe('a long list', () => {
  it('knows what stands near the view among 100,000 rows, some of them measured', () => {
    const keys = run(1, 100_000).map((one) => String(one.seq))
    const heights = new Heights(60)
    expect(heights.measure('2', 100)).toBe(true)
    expect(heights.measure('2', 100)).toBe(false)
    const layout = new Layout(keys, heights)
    expect(layout.height).toBe(6_000_040)
    expect([0, 59, 60, 159, 160, 9e9].map((height) => layout.at(height))).toEqual([0, 0, 1, 1, 2, 99_999])
    expect([layout.offset('3'), layout.offset('nobody')]).toEqual([160, null])
    expect(new Layout([], heights).at(10)).toBe(0)
  })
})
