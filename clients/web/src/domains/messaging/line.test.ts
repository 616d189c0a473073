import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Asked, Conversation, CursorEvent, Message, Told } from '@/api/messaging'
import type { Listening } from '@/live/reconnecting'

import type { Change } from './keep'
import { MemoryKeep, type Queued } from './keep'
import { HEARTBEAT_MS, Line } from './line'

const ME = 'me'
const TEAM = 'team'
const HALL = 'hall'

function conversation(id: string, more: Partial<Conversation> = {}): Conversation {
  return {
    id, kind: 'group', title: id, partner_id: null, member_count: 3, last_seq: 0, read_seq: 0, join_seq: 0, left: false,
    last_at: '2026-11-28T00:00:00Z', last_message: null, unread: 0, is_shared: false, is_muted: false, is_pinned: false,
    abilities: [], ...more,
  }
}

function message(seq: number, more: Partial<Message> = {}): Message {
  return {
    conversation_id: TEAM, seq, cid: `c${seq}`, sender_id: 'wang', sender: 'Wang', at: '2026-11-28T01:00:00Z', kind: 'text',
    text: `m${seq}`, mentions: [], reply_to: null, files: [], recalled: null, ...more,
  }
}

const saying = (one: Message): CursorEvent => ({ kind: 'message', at: one.at, conversation_id: one.conversation_id, seq: one.seq, message: one })
const queued = (cid: string, at = '2026-11-28T02:00:00Z'): Queued =>
  ({ cid, conversation_id: TEAM, text: cid, mentions: [], reply_to: null, files: [], at, problem: '' })

/** The server as the line meets it, and what the line then shows. */
class World {
  keep = new MemoryKeep()
  asked: Asked[] = []
  list = [conversation(TEAM)]
  cursor = 0
  opened = 0
  shown = new Map<string, Message>()
  conversations = new Map<string, Conversation>()
  arrivals: string[] = []
  kicked = ''
  listening!: Listening
  line = this.begin()

  /** The page is opened, with what the browser has kept. */
  begin(): Line {
    const connection = {
      start: () => this.open(), renew: () => this.open(), drop: () => this.listening.lost(), stop: () => undefined,
      send: (text: string) => this.asked.push(JSON.parse(text) as Asked),
    }
    return new Line(this.keep, {
      me: ME, name: 'Me', device: 'd', now: Date.now,
      connect: (listening) => {
        this.listening = listening
        return connection
      },
      snapshot: async () => ({ cursor: this.cursor, server_time: new Date().toISOString(), conversations: this.list }),
      conversation: async (id) => this.list.find((one) => one.id === id) ?? conversation(id),
    }, {
      changed: (change) => this.show(change),
      told: ({ arrived }) => this.arrivals.push(...arrived.map((one) => one.text)),
      online: () => undefined, typing: () => undefined, kicked: (code) => (this.kicked = code),
    })
  }

  open(): void {
    this.opened += 1
    this.listening.opened()
  }

  show(change: Change): void {
    if (change.isReset) this.shown.clear()
    change.messages?.forEach((one) => this.shown.set(`${one.conversation_id} ${one.seq}`, one))
    change.conversations?.forEach((one) => this.conversations.set(one.id, one))
  }

  async settle(): Promise<void> {
    await vi.advanceTimersByTimeAsync(1)
  }

  async tell(...told: Told[]): Promise<void> {
    told.forEach((one) => this.listening.said(JSON.stringify(one)))
    await this.settle()
  }

  async connected(head = 0): Promise<void> {
    await this.line.start()
    await this.settle()
    await this.tell({ t: 'welcome', head, min: 0, server_time: new Date().toISOString(), limits: {} })
  }

  event(useq: number, event = saying(message(useq))): Told {
    return { t: 'event', useq, prev: useq - 1, event }
  }

  last<T extends Asked['t']>(t: T): Extract<Asked, { t: T }> | undefined {
    return this.asked.filter((one): one is Extract<Asked, { t: T }> => one.t === t).at(-1)
  }

  count(t: Asked['t']): number {
    return this.asked.filter((one) => one.t === t).length
  }

  get texts(): string[] {
    return [...this.shown.values()].sort((a, b) => a.seq - b.seq).map((one) => one.text)
  }
}

describe('the line', () => {
  let world: World
  beforeEach(() => {
    vi.useFakeTimers()
    world = new World()
  })
  afterEach(() => {
    world.line.stop()
    vi.useRealTimers()
  })

  it('begins with the snapshot, and shows each event once and in order however they come', async () => {
    await world.connected()
    expect(world.last('hello')).toMatchObject({ v: 1, cursor: 0 })
    await world.tell(world.event(1), world.event(1), world.event(3), world.event(4))
    expect(world.texts).toEqual(['m1'])
    expect(world.last('pull')).toEqual({ t: 'pull', after: 1 })
    const missing = { ...saying(message(2)), useq: 2 }
    await world.tell({ t: 'batch', after: 1, events: [missing], head: 4, more: false, conv: null })
    expect(world.texts).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(world.arrivals).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(world.conversations.get(TEAM)).toMatchObject({ unread: 4, last_seq: 4 })
    expect((await world.keep.load()).cursor).toBe(4)
    expect(world.count('pull')).toBe(1)
  })

  it('goes on from the cursor that was kept, and counts nothing twice that the list counts already', async () => {
    await world.connected()
    await world.tell(world.event(1))
    world.line.stop()
    world.line = world.begin()
    world.list = [conversation(TEAM, { last_seq: 3, unread: 3 })]
    await world.connected(3)
    expect(world.last('hello')).toMatchObject({ cursor: 1 })
    const events = [2, 3].map((useq) => ({ ...saying(message(useq)), useq }))
    await world.tell({ t: 'batch', after: 1, events, head: 3, more: false, conv: null })
    expect(world.texts).toEqual(['m1', 'm2', 'm3'])
    expect(world.conversations.get(TEAM)?.unread).toBe(3)
    expect(world.count('pull')).toBe(0)
  })

  it('keeps what is said before it is sent, and sends it under the same name until the server has it', async () => {
    await world.line.start()
    await world.line.say(queued('first'))
    await world.line.say(queued('second', '2026-11-28T02:00:01Z'))
    expect(world.count('send')).toBe(0)
    world.line.stop()
    world.line = world.begin()
    await world.connected()
    const sent = () => world.asked.flatMap((one) => (one.t === 'send' ? [one.message.cid] : []))
    expect(sent()).toEqual(['first', 'second'])
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    expect(sent()).toEqual(['first', 'second', 'first', 'second'])
    await world.tell({ t: 'sent', cid: 'first', conv: TEAM, seq: 1, useq: 1, ts: '2026-11-28T02:00:00Z' })
    const mine = message(1, { cid: 'first', text: 'first', sender_id: ME })
    await world.tell(world.event(1, saying(mine)))
    expect(world.texts).toEqual(['first'])
    expect((await world.keep.load()).queued.map((one) => one.cid)).toEqual(['second'])
    expect(world.conversations.get(TEAM)?.unread).toBe(0)
  })

  it('waits where the server asks for it, and leaves what is refused to its writer', async () => {
    await world.connected()
    await world.line.say(queued('soon'))
    await world.tell({ t: 'err', code: 'messaging.busy', title: 'busy', cid: 'soon', retry_after: 2 })
    expect(world.count('send')).toBe(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(world.count('send')).toBe(2)
    await world.tell({ t: 'err', code: 'messaging.not_a_member', title: 'no member', cid: 'soon', retry_after: 0 })
    await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS)
    expect(world.count('send')).toBe(2)
    expect((await world.keep.load()).queued[0]?.problem).toBe('no member')
  })

  it('finds by the heartbeat what was lost at the end, and a connection that only looks as if it stood', async () => {
    await world.connected()
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    expect(world.last('ping')).toEqual({ t: 'ping', cursor: 0 })
    await world.tell({ t: 'pong', head: 2 })
    expect(world.last('pull')).toEqual({ t: 'pull', after: 0 })
    await world.tell({ t: 'batch', after: 0, events: [1, 2].map((useq) => ({ ...saying(message(useq)), useq })), head: 2, more: false, conv: null })
    expect(world.texts).toEqual(['m1', 'm2'])
    await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS)
    expect(world.opened).toBe(2)
  })

  it('starts over from the snapshot when its cursor is too old', async () => {
    await world.connected()
    await world.tell(world.event(1))
    world.cursor = 900
    world.list = [conversation(TEAM, { last_seq: 700, unread: 12 })]
    await world.tell({ t: 'reset', min: 600, head: 900 })
    expect(world.texts).toEqual([])
    expect(world.conversations.get(TEAM)?.unread).toBe(12)
    await world.tell(world.event(901, saying(message(701))))
    expect(world.texts).toEqual(['m701'])
  })

  it('takes the words of a recalled message away, and leaves its place', async () => {
    await world.connected()
    const recall = message(2, { kind: 'recall', reply_to: 1, text: 'wrong file' })
    await world.tell(world.event(1), world.event(2, saying(recall)))
    expect(world.shown.get(`${TEAM} 1`)).toMatchObject({ text: '', recalled: { by: 'Wang', reason: 'wrong file' } })
    expect(world.conversations.get(TEAM)?.unread).toBe(0)
  })

  it('follows a shared conversation by its own numbers', async () => {
    world.list = [conversation(TEAM), conversation(HALL, { is_shared: true, last_seq: 40 })]
    await world.connected()
    expect(world.last('hello')?.shared).toEqual({ [HALL]: 40 })
    const heard = (seq: number): Told =>
      ({ t: 'event', useq: seq, prev: seq - 1, event: saying(message(seq, { conversation_id: HALL })), conv: HALL })
    await world.tell(heard(41), heard(43))
    expect(world.texts).toEqual(['m41'])
    expect(world.last('pull')).toEqual({ t: 'pull', after: 41, conv: HALL })
    const events = [42, 43].map((seq) => saying(message(seq, { conversation_id: HALL })))
    await world.tell({ t: 'batch', after: 41, events, head: 43, more: false, conv: HALL })
    expect(world.texts).toEqual(['m41', 'm42', 'm43'])
    expect((await world.keep.load()).shared).toEqual({ [HALL]: 43 })
  })

  it('says anew what was read while nobody listened', async () => {
    await world.connected()
    await world.tell(world.event(1))
    world.listening.lost()
    await world.line.read(TEAM, 1)
    expect(world.count('read')).toBe(0)
    world.list = [conversation(TEAM, { last_seq: 1, unread: 1 })]
    world.open()
    await world.tell({ t: 'welcome', head: 1, min: 0, server_time: new Date().toISOString(), limits: {} })
    expect(world.last('read')).toEqual({ t: 'read', conv: TEAM, seq: 1 })
    expect(world.conversations.get(TEAM)?.unread).toBe(0)
  })

  it('ends with the session, and says why', async () => {
    await world.connected()
    await world.tell({ t: 'kick', code: 'identity.session_revoked', title: 'revoked' })
    expect(world.kicked).toBe('identity.session_revoked')
    await world.tell(world.event(1))
    expect(world.texts).toEqual([])
  })
})
