/** What events do to the list of conversations: worked out before it is kept, so that what is kept is whole. */
import type { Conversation, CursorEvent, Message } from '@/api/messaging'

import type { Change, Keep, Queued } from './keep'

export interface Read {
  conversation_id: string
  by: string
  seq: number
}

export interface Known {
  me: string
  conversations: Map<string, Conversation>
  queued: Map<string, Queued>
}

const isSaid = ({ kind }: Message) => kind === 'text' || kind === 'file'
const placeOf = (conversation: string, seq: number) => `${conversation} ${seq}`

/** The effects of several events, which are kept in one go. */
export class Applying {
  /** Whom the events tell to have read how far. */
  readonly reads: Read[] = []
  /** What is new to say, for who asked to be told. */
  readonly arrived: Message[] = []
  /** Conversations of which the server knows more than the events tell. */
  readonly stale = new Set<string>()
  private readonly conversations = new Map<string, Conversation>()
  private readonly messages = new Map<string, Message>()
  private readonly dropped: string[] = []

  constructor(
    private readonly known: Known,
    private readonly keep: Keep,
  ) {}

  get change(): Change {
    return {
      conversations: [...this.conversations.values()],
      messages: [...this.messages.values()],
      dropped: this.dropped,
    }
  }

  async take(event: CursorEvent): Promise<void> {
    const id = event.conversation_id
    if (!id) return
    if (event.kind === 'message' && event.message) await this.said(event.message)
    else if (event.kind === 'read') this.read(id, event.by ?? '', event.seq ?? 0)
    else this.stale.add(id)
  }

  private async said(message: Message): Promise<void> {
    this.messages.set(placeOf(message.conversation_id, message.seq), message)
    if (this.known.queued.has(message.cid)) this.dropped.push(message.cid)
    if (message.kind === 'recall') await this.recalled(message)
    if (!isSaid(message)) this.stale.add(message.conversation_id)
    const before = this.conversation(message.conversation_id)
    if (!before) return void this.stale.add(message.conversation_id)
    // The list may have been read after this message was said, and counts it already.
    if (message.seq <= before.last_seq) return
    const isNews = isSaid(message) && message.sender_id !== this.known.me && !message.recalled
    if (isNews) this.arrived.push(message)
    this.put({
      ...before,
      title: message.kind === 'renamed' ? message.text : before.title,
      last_seq: message.seq,
      last_at: message.at,
      last_message: message,
      unread: before.unread + (isNews ? 1 : 0),
    })
  }

  /** Its words are gone everywhere; that it was there is left. */
  private async recalled(by: Message): Promise<void> {
    const { conversation_id: id, reply_to: seq } = by
    if (seq === null) return
    const target = this.messages.get(placeOf(id, seq)) ?? (await this.keep.message(id, seq))
    if (!target || target.recalled) return
    const recalled = { at: by.at, by: by.sender, reason: by.text }
    this.messages.set(placeOf(id, seq), { ...target, text: '', mentions: [], files: [], recalled })
    const list = this.conversation(id)
    const wasUnread = list && target.sender_id !== this.known.me && seq > list.read_seq && list.unread > 0
    if (list && wasUnread) this.put({ ...list, unread: list.unread - 1 })
  }

  private read(id: string, by: string, seq: number): void {
    this.reads.push({ conversation_id: id, by, seq })
    const list = this.conversation(id)
    if (by !== this.known.me || !list || seq <= list.read_seq) return
    if (seq < list.last_seq && list.unread) this.stale.add(id)
    this.put({ ...list, read_seq: seq, unread: seq >= list.last_seq ? 0 : list.unread })
  }

  private conversation(id: string): Conversation | undefined {
    return this.conversations.get(id) ?? this.known.conversations.get(id)
  }

  private put(conversation: Conversation): void {
    this.conversations.set(conversation.id, conversation)
  }
}
