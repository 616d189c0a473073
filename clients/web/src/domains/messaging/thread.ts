/** The messages of one conversation as they stand in its thread: so far as they are read, and more when asked. */
import type { Message, MessageList } from '@/api/messaging'

import type { Keep } from './keep'

export const PAGE = 60

/** Read messages of a conversation from the server. */
export type Ask = (conversation: string, before: number | null, limit: number) => Promise<MessageList>

export interface Page {
  items: Message[]
  /** Whether there are older ones. */
  more: boolean
}

/** Whether the numbers go down from one message without a hole. */
function isWhole(items: Message[], before: number): boolean {
  return items.every((one, n) => one.seq === before - items.length + n)
}

/**
 * The last messages before one. What this browser keeps is taken where nothing lacks in it; else the server is asked,
 * and when it cannot be reached what is kept is better than nothing.
 */
export async function pageBefore(keep: Keep, ask: Ask, conversation: string, before: number): Promise<Page> {
  const kept = await keep.messages(conversation, before, PAGE)
  const reachesBegin = kept[0]?.seq === 1
  if (isWhole(kept, before) && (kept.length === PAGE || reachesBegin)) return { items: kept, more: !reachesBegin }
  try {
    const { items, more } = await ask(conversation, before, PAGE)
    await keep.apply({ messages: items })
    return { items, more }
  } catch (error) {
    if (!kept.length) throw error
    return { items: kept, more: false }
  }
}

/** Messages in their order, each once; of two that have the same place the newer report counts. */
export function merged(shown: Message[], news: Message[]): Message[] {
  const last = shown.at(-1)?.seq ?? 0
  if (news.every((one, n) => one.seq > (news[n - 1]?.seq ?? last))) return [...shown, ...news]
  const places = new Map([...shown, ...news].map((one) => [one.seq, one]))
  return [...places.values()].sort((left, right) => left.seq - right.seq)
}
