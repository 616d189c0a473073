/**
 * OIM/1, the client's side. Whatever comes over the connection may come late, twice, or not at all: an event is applied
 * when it is the next one on the cursor, is left when it was applied before, and what lacks in between is pulled. What
 * is said is kept first, and sent again under the same name until the server says that it has it.
 */
import type { Asked, Conversation, CursorEvent, Snapshot, Told } from '@/api/messaging'
import type { Listening } from '@/live/reconnecting'

import { Applying } from './applying'
import type { Change, Keep, Queued } from './keep'

export const HEARTBEAT_MS = 25_000
const RESEND_MS = 10_000
const BUFFERED = 1000

export interface Connection {
  start: () => void
  stop: () => void
  renew: () => void
  drop: () => void
  send: (text: string) => void
}

/** What the line needs of the world outside. */
export interface World {
  me: string
  name: string
  device: string
  connect: (listening: Listening) => Connection
  snapshot: () => Promise<Snapshot>
  conversation: (id: string) => Promise<Conversation>
  now: () => number
}

/** Who is told of what happens. */
export interface Hearing {
  changed: (change: Change) => void
  /** News that arrived just now, and who has read how far. */
  told: (applied: Applying) => void
  online: (isOnline: boolean) => void
  typing: (conversation: string, official: string) => void
  kicked: (code: string, title: string) => void
}

export class Line {
  /** How much later the server's clock is than ours, in milliseconds. */
  skew = 0
  private cursor: number | null = null
  private readonly conversations = new Map<string, Conversation>()
  private readonly shared = new Map<string, number>()
  private readonly queued = new Map<string, Queued>()
  private readonly sentAt = new Map<string, number>()
  private readonly early = new Map<number, CursorEvent>()
  private readonly connection: Connection
  private isOnline = false
  private isPulling = false
  private isAnswered = true
  private isStopped = false
  private heartbeat: ReturnType<typeof setInterval> | undefined
  private work: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly keep: Keep,
    private readonly world: World,
    private readonly hearing: Hearing,
  ) {
    this.connection = world.connect({
      opened: () => this.orderly(() => this.greet()),
      said: (text) => this.orderly(() => this.receive(JSON.parse(text) as Told)),
      lost: () => this.lose(),
    })
  }

  /** Show what is kept, then catch up. */
  async start(): Promise<void> {
    const kept = await this.keep.load()
    if (this.isStopped) return
    this.cursor = kept.cursor
    this.remember({ conversations: kept.conversations, shared: kept.shared, queued: kept.queued })
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS)
    this.connection.start()
  }

  stop(): void {
    this.isStopped = true
    clearInterval(this.heartbeat)
    this.connection.stop()
  }

  /** The network is said to have come or gone. */
  renew(): void {
    this.lose()
    this.connection.renew()
  }

  // --- what the user does --------------------------------------------------------------------------------

  /** Say something: kept from here on, and sent as soon as somebody listens. */
  say(message: Queued): Promise<void> {
    return this.orderly(async () => {
      await this.apply({ queued: [message] })
      this.send(message)
    })
  }

  /** Take a message off that is not sent yet. */
  drop(cid: string): Promise<void> {
    return this.orderly(() => this.apply({ dropped: [cid] }))
  }

  read(conversation: string, seq: number): Promise<void> {
    return this.orderly(async () => {
      const list = this.conversations.get(conversation)
      if (!list || seq <= list.read_seq) return
      const unread = seq >= list.last_seq ? 0 : list.unread
      await this.apply({ conversations: [{ ...list, read_seq: seq, unread }] })
      this.ask({ t: 'read', conv: conversation, seq })
    })
  }

  typing(conversation: string): void {
    this.ask({ t: 'typing', conv: conversation })
  }

  /** What was read from the server by other ways belongs into the same order. */
  learn(change: Change): Promise<void> {
    return this.orderly(() => this.apply(change))
  }

  // --- the connection --------------------------------------------------------------------------------

  /** Frames and acts take effect one after another, each wholly kept before the next. */
  private orderly(step: () => Promise<void>): Promise<void> {
    const done = this.work.then(() => (this.isStopped ? undefined : step()))
    // One that failed leaves the cursor where it was, and the next connection finds what lacks.
    this.work = done.catch(() => this.connection.drop())
    return done
  }

  private async greet(): Promise<void> {
    if (this.cursor === null) await this.startOver()
    const shared = Object.fromEntries(this.shared)
    this.ask({ t: 'hello', v: 1, device: this.world.device, cursor: this.cursor ?? 0, shared })
  }

  private ask(frame: Asked): void {
    if (this.isOnline || frame.t === 'hello') this.connection.send(JSON.stringify(frame))
  }

  private lose(): void {
    this.isOnline = this.isPulling = false
    this.isAnswered = true
    this.hearing.online(false)
  }

  private beat(): void {
    if (!this.isOnline) return
    // Nobody has answered the last one: the connection only looks as if it stood.
    if (!this.isAnswered) return this.renew()
    this.isAnswered = false
    this.ask({ t: 'ping', cursor: this.cursor ?? 0 })
    const late = this.world.now() - RESEND_MS
    this.queued.forEach((one) => (this.sentAt.get(one.cid) ?? 0) < late && this.send(one))
  }

  private async receive(frame: Told): Promise<void> {
    this.isAnswered = true
    switch (frame.t) {
      case 'welcome': return this.welcome(frame)
      case 'event': return this.event(frame)
      case 'batch': return frame.conv ? this.sharedBatch(frame, frame.conv) : this.batch(frame)
      case 'pong': return this.reaches(frame.head)
      case 'sent': return this.sent(frame)
      case 'err': return this.refused(frame)
      case 'reset':
        await this.startOver()
        return this.reaches(frame.head)
      case 'typing': return this.hearing.typing(frame.conv, frame.official)
      case 'kick':
        this.stop()
        return this.hearing.kicked(frame.code, frame.title)
    }
  }

  private async welcome(frame: Told & { t: 'welcome' }): Promise<void> {
    this.skew = Date.parse(frame.server_time) - this.world.now()
    this.isOnline = true
    // The server sends what lacks by itself.
    this.isPulling = (this.cursor ?? 0) < frame.head
    this.hearing.online(true)
    this.queued.forEach((one) => this.send(one))
    await this.relist().catch(() => undefined)
  }

  // --- the cursor --------------------------------------------------------------------------------

  /** All conversations as they are now, and the cursor to which they hold. */
  private async startOver(): Promise<void> {
    const snapshot = await this.world.snapshot()
    this.early.clear()
    this.conversations.clear()
    this.shared.clear()
    await this.apply({ isReset: true, cursor: snapshot.cursor, ...this.listOf(snapshot) })
  }

  /** The list as it is now; what the cursor still brings of it changes nothing twice. */
  private async relist(): Promise<void> {
    await this.apply(this.listOf(await this.world.snapshot()))
  }

  private listOf({ conversations }: Snapshot): Change {
    const begun = conversations.filter((one) => one.is_shared && !this.shared.has(one.id))
    const shared = Object.fromEntries(begun.map((one) => [one.id, one.last_seq]))
    return { conversations: conversations.map((one) => this.asRead(one)), shared }
  }

  /** What was read here while nobody listened is read, and said now. */
  private asRead(told: Conversation): Conversation {
    const seq = this.conversations.get(told.id)?.read_seq ?? 0
    if (seq <= told.read_seq) return told
    this.ask({ t: 'read', conv: told.id, seq })
    return { ...told, read_seq: seq, unread: seq >= told.last_seq ? 0 : told.unread }
  }

  private async event({ useq, event, conv }: Told & { t: 'event' }): Promise<void> {
    if (conv) return this.sharedEvents(conv, [event])
    const cursor = this.cursor ?? 0
    if (useq <= cursor) return
    if (useq > cursor + 1) {
      if (this.early.size < BUFFERED) this.early.set(useq, event)
      return this.pull()
    }
    await this.advance([{ ...event, useq }])
  }

  private async batch({ events, head, more }: Told & { t: 'batch' }): Promise<void> {
    this.isPulling = false
    const cursor = this.cursor ?? 0
    const next = events.filter((one) => (one.useq ?? 0) > cursor)
    const isWhole = next.every((one, n) => one.useq === cursor + 1 + n)
    if (isWhole) await this.advance(next)
    if (more || !isWhole) this.pull()
    else this.reaches(head)
  }

  /** Apply events that are the next ones, and those that came early and now follow. */
  private async advance(events: CursorEvent[]): Promise<void> {
    const applying = this.applying()
    let cursor = this.cursor ?? 0
    for (const event of events) {
      await applying.take(event)
      cursor += 1
    }
    for (let event; (event = this.early.get(cursor + 1)); cursor += 1) await applying.take(event)
    await this.finish(applying, { cursor })
    ;[...this.early.keys()].filter((useq) => useq <= cursor).forEach((useq) => this.early.delete(useq))
  }

  private applying(): Applying {
    return new Applying({ me: this.world.me, conversations: this.conversations, queued: this.queued }, this.keep)
  }

  private async finish(applying: Applying, reached: Change): Promise<void> {
    await this.apply({ ...applying.change, ...reached })
    this.hearing.told(applying)
    applying.stale.forEach((id) => void this.relearn(id))
  }

  /** Of this conversation the server knows more: who is in it, what we may do, how much is unread. */
  private async relearn(id: string): Promise<void> {
    const found = await this.world.conversation(id).catch(() => null)
    if (found) await this.learn({ conversations: [this.asRead(found)] }).catch(() => undefined)
  }

  private async reaches(head: number): Promise<void> {
    if (head > (this.cursor ?? 0)) this.pull()
  }

  private pull(): void {
    if (this.isPulling) return
    this.isPulling = true
    this.ask({ t: 'pull', after: this.cursor ?? 0 })
  }

  // --- conversations that are cursors of their own ------------------------------------------------------------------

  private async sharedEvents(id: string, events: CursorEvent[]): Promise<void> {
    const at = this.shared.get(id) ?? (events[0]?.seq ?? 1) - 1
    const next = events.filter((one) => (one.seq ?? 0) > at)
    if (!next.length) return
    if (next[0]?.seq !== at + 1) return this.ask({ t: 'pull', after: at, conv: id })
    const applying = this.applying()
    for (const event of next) await applying.take(event)
    await this.finish(applying, { shared: { [id]: next.at(-1)?.seq ?? at } })
  }

  private async sharedBatch({ events, more }: Told & { t: 'batch' }, id: string): Promise<void> {
    await this.sharedEvents(id, events)
    if (more) this.ask({ t: 'pull', after: this.shared.get(id) ?? 0, conv: id })
  }

  // --- what we say --------------------------------------------------------------------------------

  private send(one: Queued): void {
    if (one.problem || !this.isOnline) return
    this.sentAt.set(one.cid, this.world.now())
    const { cid, text, mentions, reply_to, files } = one
    const message = { cid, text, mentions, reply_to, files: files.map((file) => file.id) }
    this.ask({ t: 'send', conv: one.conversation_id, message })
  }

  /** It is kept. It takes its place among the messages now; the event that also tells of it changes nothing more. */
  private async sent({ cid, conv, seq, ts }: Told & { t: 'sent' }): Promise<void> {
    const one = this.queued.get(cid)
    if (!one) return
    const kind = one.files.length ? 'file' : 'text'
    const { text, mentions, reply_to, files } = one
    const { me: sender_id, name: sender } = this.world
    const mine = { conversation_id: conv, seq, cid, sender_id, sender, at: ts, kind, recalled: null } as const
    await this.apply({ messages: [{ ...mine, text, mentions, reply_to, files }], dropped: [cid] })
  }

  private async refused({ cid, title, retry_after: wait }: Told & { t: 'err' }): Promise<void> {
    const one = this.queued.get(cid)
    if (!one) return
    if (wait > 0) setTimeout(() => this.queued.has(cid) && this.send(one), wait * 1000)
    else await this.apply({ queued: [{ ...one, problem: title }] })
  }

  // --- keeping --------------------------------------------------------------------------------

  private async apply(change: Change): Promise<void> {
    await this.keep.apply(change)
    this.remember(change)
  }

  private remember(change: Change): void {
    if (change.cursor !== undefined) this.cursor = change.cursor
    change.conversations?.forEach((one) => this.conversations.set(one.id, one))
    Object.entries(change.shared ?? {}).forEach(([id, at]) => this.shared.set(id, at))
    change.queued?.forEach((one) => this.queued.set(one.cid, one))
    change.dropped?.forEach((cid) => this.queued.delete(cid))
    this.hearing.changed(change)
  }
}
