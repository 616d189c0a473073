/** The lines of a thread: messages by day, and who speaks shown once for what they say in one go. */
import type { Message } from '@/api/messaging'

import type { Queued } from './keep'

export interface Row {
  key: string
  message: Message
  /** The same message while it waits to be sent. */
  queued: Queued | null
  /** It is the first of its day. */
  isNewDay: boolean
  /** What comes from here on was unread when the thread was opened. */
  isFirstUnread: boolean
  /** The same person goes on speaking. */
  isContinued: boolean
}

interface Writer {
  id: string
  name: string
}

const GOES_ON_MS = 5 * 60_000

export function isSaid({ kind }: Message): boolean {
  return kind === 'text' || kind === 'file'
}

/** A message that waits, as it will stand there. */
function asMessage(one: Queued, me: Writer): Message {
  const { cid, conversation_id, text, mentions, reply_to, files, at } = one
  const sender = { sender_id: me.id, sender: me.name }
  const kind = files.length ? 'file' : 'text'
  return { conversation_id, seq: 0, cid, ...sender, at, kind, text, mentions, reply_to, files, recalled: null }
}

function goesOn(before: Message, message: Message): boolean {
  return isSaid(before) && !before.recalled && before.sender_id === message.sender_id
}

/** A number for the day of a moment, here: cheap, for a thread may have a hundred thousand of them. */
function dayOf(moment: number): number {
  const at = new Date(moment)
  return (at.getFullYear() * 12 + at.getMonth()) * 31 + at.getDate()
}

export function rowsOf(messages: Message[], queued: Queued[], me: Writer, readUpTo: number): Row[] {
  const waiting = new Map(queued.map((one) => [one.cid, one]))
  const isMine = (one: Message) => one.sender_id === me.id
  // That somebody took a message back stands where the message stood.
  const shown = messages.filter((one) => one.kind !== 'recall')
  const arrived = new Set(shown.filter(isMine).map((one) => one.cid))
  const all = [...shown, ...queued.filter((one) => !arrived.has(one.cid)).map((one) => asMessage(one, me))]
  const firstUnread = shown.find((one) => one.seq > readUpTo && !isMine(one) && isSaid(one))
  let [before, moment, day]: [Message | null, number, number] = [null, 0, 0]
  return all.map((message, n) => {
    const [previous, previousMoment, previousDay] = [before, moment, day]
    ;[before, moment] = [message, Date.parse(message.at)]
    day = dayOf(moment)
    const isNewDay = !previous || day !== previousDay
    const isFirstUnread = message === firstUnread && n > 0
    return {
      key: `${message.sender_id} ${message.cid}`,
      message,
      queued: message.seq ? null : (waiting.get(message.cid) ?? null),
      isNewDay,
      isFirstUnread,
      isContinued: !isNewDay && !isFirstUnread && moment - previousMoment < GOES_ON_MS && goesOn(previous, message),
    }
  })
}
