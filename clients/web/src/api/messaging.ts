/** The shapes of instant messaging: conversations, messages, and the frames of OIM/1. */
import type { Ability } from './types'

export interface MessageFile {
  id: string
  name: string
  size: number
  media_type: string
}

export type MessageKind = 'text' | 'file' | 'recall' | 'joined' | 'left' | 'renamed' | 'owner'

export interface Message {
  conversation_id: string
  seq: number
  cid: string
  sender_id: string
  sender: string
  at: string
  kind: MessageKind
  text: string
  mentions: string[]
  reply_to: number | null
  files: MessageFile[]
  recalled: { at: string; by: string; reason: string } | null
}

export interface MessageList {
  items: Message[]
  more: boolean
}

export interface Conversation {
  id: string
  kind: 'direct' | 'group' | 'unit' | 'organ'
  title: string
  partner_id: string | null
  member_count: number
  last_seq: number
  read_seq: number
  join_seq: number
  left: boolean
  last_at: string
  last_message: Message | null
  unread: number
  is_shared: boolean
  is_muted: boolean
  is_pinned: boolean
  abilities: Ability[]
}

export interface Snapshot {
  cursor: number
  server_time: string
  conversations: Conversation[]
}

export interface Participant {
  official_id: string
  name: string
  organ: string
  unit: string
  is_owner: boolean
  read_seq: number
  is_online: boolean
}

export interface Readers {
  read: Participant[]
  unread: Participant[]
}

export interface Contact {
  official_id: string
  name: string
  organ: string
  unit: string
  title: string
  is_online: boolean
}

export interface CursorEvent {
  useq?: number
  kind: 'message' | 'read' | 'list'
  at: string
  conversation_id?: string
  seq?: number
  by?: string
  message?: Message
}

/** What is said: `cid` is our own name for it, under which it may be sent any number of times. */
export interface Said {
  cid: string
  text: string
  mentions: string[]
  reply_to: number | null
  files: string[]
}

export type Asked =
  | { t: 'hello'; v: 1; device: string; cursor: number; shared: Record<string, number> }
  | { t: 'send'; conv: string; message: Said }
  | { t: 'read'; conv: string; seq: number }
  | { t: 'pull'; after: number; conv?: string }
  | { t: 'typing'; conv: string }
  | { t: 'ping'; cursor: number }

export type Told =
  | { t: 'welcome'; head: number; min: number; server_time: string; limits: Record<string, number> }
  | { t: 'sent'; cid: string; conv: string; seq: number; useq: number; ts: string }
  | { t: 'event'; useq: number; prev: number; event: CursorEvent; conv?: string }
  | { t: 'batch'; after: number; events: CursorEvent[]; head: number; more: boolean; conv: string | null }
  | { t: 'pong'; head: number }
  | { t: 'reset'; min: number; head: number }
  | { t: 'err'; code: string; title: string; cid: string; retry_after: number }
  | { t: 'kick'; code: string; title: string }
  | { t: 'typing'; conv: string; official: string }
