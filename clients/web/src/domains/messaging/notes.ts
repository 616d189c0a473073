/** Messages in one line: what was done with the conversation, and what the list and a quote say of a message. */
import type { Message } from '@/api/messaging'
import type { Words } from '@/words'

import { isSaid } from './rows'

/** The grey line for what is no words of somebody; empty for what is. */
export function notes(message: Message, me: string, words: Words): string {
  const said = words.messages
  const who = (id: string, name: string) => (id === me ? said.you : name)
  const actor = who(message.sender_id, message.sender)
  if (message.recalled || message.kind === 'recall') return said.recalledBy(actor)
  const isOwn = message.mentions.length === 1 && message.mentions[0] === message.sender_id
  const people = message.mentions.length === 1 ? who(message.mentions[0] ?? '', message.text) : message.text
  switch (message.kind) {
    case 'joined': return isOwn ? said.joined(people) : said.added(actor, people)
    case 'left': return isOwn ? said.left(people) : said.removed(actor, people)
    case 'renamed': return said.renamed(actor, message.text)
    case 'owner': return said.owner(people)
    default: return ''
  }
}

/** A message in one line, with its sender where several may have said it. */
export function summary(message: Message, me: string, words: Words, withSender: boolean): string {
  const note = notes(message, me, words)
  if (note || !isSaid(message)) return note
  const names = message.files.map((file) => file.name).join(words.app.listComma)
  const text = message.text || words.messages.filesNamed(names)
  const sender = message.sender_id === me ? words.messages.you : message.sender
  return withSender ? `${sender}${words.app.colon}${text}` : text
}
