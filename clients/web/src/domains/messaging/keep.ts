/**
 * What this browser keeps of an official's messages. Whatever one event changes is kept together with the cursor behind
 * it, or not at all: so an event takes effect once, however often the browser is closed in between.
 */
import type { Conversation, Message, MessageFile } from '@/api/messaging'

/** A message on its way: kept before it is sent, until the server says that it has it. */
export interface Queued {
  cid: string
  conversation_id: string
  text: string
  mentions: string[]
  reply_to: number | null
  files: MessageFile[]
  at: string
  /** What the server has against it; it then waits for its writer. */
  problem: string
}

export interface Change {
  cursor?: number
  /** The messages kept so far may be out of date and are forgotten. */
  isReset?: boolean
  conversations?: Conversation[]
  messages?: Message[]
  /** How far the messages of conversations go that are cursors of their own. */
  shared?: Record<string, number>
  queued?: Queued[]
  /** Of these the server has said that it has them, or their writer took them off. */
  dropped?: string[]
}

export interface Kept {
  /** null: nothing has been read from the server yet. */
  cursor: number | null
  conversations: Conversation[]
  shared: Record<string, number>
  queued: Queued[]
}

export interface Keep {
  load: () => Promise<Kept>
  apply: (change: Change) => Promise<void>
  message: (conversation: string, seq: number) => Promise<Message | undefined>
  /** The last so many messages before one, oldest first. */
  messages: (conversation: string, before: number, limit: number) => Promise<Message[]>
  /** Forget all that the server has, too. */
  forget: () => Promise<void>
}

const placeOf = (message: Message) => `${message.conversation_id} ${message.seq}`
const byTime = (left: Queued, right: Queued) => left.at.localeCompare(right.at)

/** For as long as the page is open: where the browser keeps nothing, as in a private window. */
export class MemoryKeep implements Keep {
  private cursor: number | null = null
  private readonly conversations = new Map<string, Conversation>()
  private readonly kept = new Map<string, Message>()
  private readonly shared = new Map<string, number>()
  private readonly queued = new Map<string, Queued>()

  async load(): Promise<Kept> {
    return {
      cursor: this.cursor,
      conversations: [...this.conversations.values()],
      shared: Object.fromEntries(this.shared),
      queued: [...this.queued.values()].sort(byTime),
    }
  }

  async apply(change: Change): Promise<void> {
    if (change.isReset) [this.conversations, this.kept, this.shared].forEach((one) => one.clear())
    if (change.cursor !== undefined) this.cursor = change.cursor
    change.conversations?.forEach((one) => this.conversations.set(one.id, one))
    change.messages?.forEach((one) => this.kept.set(placeOf(one), one))
    Object.entries(change.shared ?? {}).forEach(([id, at]) => this.shared.set(id, at))
    change.queued?.forEach((one) => this.queued.set(one.cid, one))
    change.dropped?.forEach((cid) => this.queued.delete(cid))
  }

  async message(conversation: string, seq: number): Promise<Message | undefined> {
    return this.kept.get(`${conversation} ${seq}`)
  }

  async messages(conversation: string, before: number, limit: number): Promise<Message[]> {
    const found = [...this.kept.values()].filter((one) => one.conversation_id === conversation && one.seq < before)
    return found.sort((left, right) => left.seq - right.seq).slice(-limit)
  }

  async forget(): Promise<void> {
    await this.apply({ isReset: true })
    this.cursor = null
  }
}

const VERSION = 1
const STORES = ['meta', 'conversations', 'messages', 'shared', 'outbox'] as const
const CURSOR = 'cursor'

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function endOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onerror = transaction.onabort = () => reject(transaction.error)
  })
}

/** In the browser's own database, one for each official. */
export class BrowserKeep implements Keep {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(official: string): Promise<BrowserKeep> {
    const request = indexedDB.open(`oa-messages:${official}`, VERSION)
    request.onupgradeneeded = () => {
      const database = request.result
      database.createObjectStore('meta')
      database.createObjectStore('conversations', { keyPath: 'id' })
      database.createObjectStore('messages', { keyPath: ['conversation_id', 'seq'] })
      database.createObjectStore('shared')
      database.createObjectStore('outbox', { keyPath: 'cid' })
    }
    return new BrowserKeep(await answerOf(request))
  }

  async load(): Promise<Kept> {
    const reading = this.database.transaction(STORES)
    const of = (name: (typeof STORES)[number]) => reading.objectStore(name)
    const [cursor, conversations, ids, ends, queued] = await Promise.all([
      answerOf<number | undefined>(of('meta').get(CURSOR)),
      answerOf<Conversation[]>(of('conversations').getAll()),
      answerOf(of('shared').getAllKeys()),
      answerOf<number[]>(of('shared').getAll()),
      answerOf<Queued[]>(of('outbox').getAll()),
    ])
    const shared = Object.fromEntries(ids.map((id, n) => [String(id), ends[n] ?? 0]))
    return { cursor: cursor ?? null, conversations, shared, queued: queued.sort(byTime) }
  }

  async apply(change: Change): Promise<void> {
    const writing = this.database.transaction(STORES, 'readwrite')
    const of = (name: (typeof STORES)[number]) => writing.objectStore(name)
    if (change.isReset) (['conversations', 'messages', 'shared'] as const).forEach((name) => of(name).clear())
    change.conversations?.forEach((one) => of('conversations').put(one))
    change.messages?.forEach((one) => of('messages').put(one))
    Object.entries(change.shared ?? {}).forEach(([id, at]) => of('shared').put(at, id))
    change.queued?.forEach((one) => of('outbox').put(one))
    change.dropped?.forEach((cid) => of('outbox').delete(cid))
    if (change.cursor !== undefined) of('meta').put(change.cursor, CURSOR)
    await endOf(writing)
  }

  message(conversation: string, seq: number): Promise<Message | undefined> {
    return answerOf(this.database.transaction('messages').objectStore('messages').get([conversation, seq]))
  }

  messages(conversation: string, before: number, limit: number): Promise<Message[]> {
    const range = IDBKeyRange.bound([conversation, 0], [conversation, before], false, true)
    const request = this.database.transaction('messages').objectStore('messages').openCursor(range, 'prev')
    const found: Message[] = []
    return new Promise((resolve, reject) => {
      request.onerror = () => reject(request.error)
      request.onsuccess = () => {
        const at = request.result
        if (!at || found.length === limit) return resolve(found.reverse())
        found.push(at.value as Message)
        at.continue()
      }
    })
  }

  async forget(): Promise<void> {
    const writing = this.database.transaction(STORES, 'readwrite')
    // What waits to be sent is nowhere else.
    STORES.filter((name) => name !== 'outbox').forEach((name) => writing.objectStore(name).clear())
    await endOf(writing)
    this.database.close()
  }
}

/** The browser's database, or where it gives none the memory of the page. */
export async function openKeep(official: string): Promise<Keep> {
  return BrowserKeep.open(official).catch(() => new MemoryKeep())
}
