/** The messenger of who is signed in: one line to the server for all pages, from the session's beginning to its end. */
import { defineStore } from 'pinia'
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { api, newKey } from '@/api/client'
import type { Conversation, Message, MessageFile, MessageList, Snapshot } from '@/api/messaging'
import { useSession } from '@/domains/identity/session'
import { Reconnecting } from '@/live/reconnecting'

import type { Applying } from './applying'
import { openKeep, type Change, type Keep, type Queued } from './keep'
import { Line } from './line'
import { announce } from './notifying'
import { pageBefore, type Page } from './thread'

const DEVICE = 'oa-device'

export interface Listener {
  changed?: (change: Change) => void
  told?: (applied: Applying) => void
  typing?: (conversation: string, official: string) => void
}

export interface Wanted {
  text: string
  mentions: string[]
  reply_to: number | null
  files: MessageFile[]
}

/** What this browser is called among the devices of an official. */
function device(): string {
  const known = localStorage.getItem(DEVICE) ?? newKey()
  localStorage.setItem(DEVICE, known)
  return known
}

function inOrder(left: Conversation, right: Conversation): number {
  return Number(right.is_pinned) - Number(left.is_pinned) || Date.parse(right.last_at) - Date.parse(left.last_at)
}

const path = (conversation: string) => `/api/im/conversations/${conversation}`

export const useMessenger = defineStore('messenger', () => {
  const session = useSession()
  const list = shallowRef<Conversation[]>([])
  const queued = shallowRef<Queued[]>([])
  const isOnline = ref(false)
  const isLoaded = ref(false)
  const listeners = new Set<Listener>()
  const me = computed(() => session.session?.official ?? { id: '', name: '' })
  /** What calls for attention: conversations that are muted do not. */
  const unread = computed(() => list.value.reduce((sum, one) => sum + (one.is_muted ? 0 : one.unread), 0))
  let keep: Keep | null = null
  let line: Line | null = null
  /** The conversation that is before somebody's eyes. */
  const shown = ref('')

  async function begin(id: string, name: string): Promise<void> {
    const opened = await openKeep(id)
    if (me.value.id !== id) return
    keep = opened
    const world = {
      me: id,
      name,
      device: device(),
      connect: (listening: ConstructorParameters<typeof Reconnecting>[1]) => new Reconnecting('/api/im/line', listening),
      snapshot: () => api.get<Snapshot>('/api/im/snapshot'),
      conversation: (one: string) => api.get<Conversation>(path(one)),
      now: Date.now,
    }
    const online = (is: boolean) => (isOnline.value = is)
    line = new Line(opened, world, { changed, told, online, typing, kicked: session.end })
    window.addEventListener('online', renew)
    window.addEventListener('offline', renew)
    await line.start()
  }

  /** The next who signs in at this browser finds nothing; what waits to be sent goes on waiting for its writer. */
  async function end(): Promise<void> {
    window.removeEventListener('online', renew)
    window.removeEventListener('offline', renew)
    line?.stop()
    const left = keep
    line = keep = null
    list.value = []
    queued.value = []
    isOnline.value = isLoaded.value = false
    await left?.forget()
  }

  function renew(): void {
    line?.renew()
  }

  function changed(change: Change): void {
    if (change.isReset) list.value = []
    if (change.conversations?.length) {
      const all = new Map([...list.value, ...change.conversations].map((one) => [one.id, one]))
      list.value = [...all.values()].sort(inOrder)
    }
    if (change.cursor !== undefined || change.conversations?.length) isLoaded.value = true
    if (change.queued?.length || change.dropped?.length) {
      const waiting = new Map([...queued.value, ...(change.queued ?? [])].map((one) => [one.cid, one]))
      change.dropped?.forEach((cid) => waiting.delete(cid))
      queued.value = [...waiting.values()]
    }
    listeners.forEach((one) => one.changed?.(change))
  }

  function told(applied: Applying): void {
    listeners.forEach((one) => one.told?.(applied))
    applied.arrived.forEach(notify)
  }

  function notify(message: Message): void {
    const isRead = shown.value === message.conversation_id && document.hasFocus()
    if (!isRead && !find(message.conversation_id)?.is_muted) announce(message)
  }

  function typing(conversation: string, official: string): void {
    listeners.forEach((one) => one.typing?.(conversation, official))
  }

  function find(id: string): Conversation | undefined {
    return list.value.find((one) => one.id === id)
  }

  /** Hear what happens for as long as the component lives. */
  function listen(listener: Listener): void {
    listeners.add(listener)
    onScopeDispose(() => listeners.delete(listener))
  }

  async function say(conversation: string, wanted: Wanted): Promise<void> {
    const { text, mentions, reply_to, files } = wanted
    const at = new Date(Date.now() + (line?.skew ?? 0)).toISOString()
    await line?.say({ cid: newKey(), conversation_id: conversation, text, mentions, reply_to, files, at, problem: '' })
  }

  /** Under a new name: the one it had may stand for what was refused. */
  async function sayAgain(message: Queued): Promise<void> {
    await line?.drop(message.cid)
    await say(message.conversation_id, message)
  }

  async function before(conversation: string, seq: number): Promise<Page> {
    if (!keep) return { items: [], more: false }
    const ask = (id: string, end: number | null, limit: number) => api.get<MessageList>(`${path(id)}/messages`, { before: end, limit })
    return pageBefore(keep, ask, conversation, seq)
  }

  /** Take a conversation into the list as the server has just told it. */
  async function learn(conversation: Conversation): Promise<Conversation> {
    await line?.learn({ conversations: [conversation] })
    return conversation
  }

  watch(() => me.value.id, (id) => void (id ? begin(id, me.value.name) : end()), { immediate: true })

  return {
    list, queued, isOnline, isLoaded, unread, me, shown, find, listen, say, sayAgain, before, learn, renew,
    skew: () => line?.skew ?? 0,
    drop: (cid: string) => line?.drop(cid),
    read: (conversation: string, seq: number) => line?.read(conversation, seq),
    type: (conversation: string) => line?.typing(conversation),
    talkTo: async (official: string) => learn(await api.post<Conversation>('/api/im/direct', { official_id: official })),
    beginGroup: async (title: string, members: string[]) =>
      learn(await api.post<Conversation>('/api/im/conversations', { title, members })),
    arrange: async (id: string, change: Partial<Pick<Conversation, 'title' | 'is_muted' | 'is_pinned'>>) =>
      learn(await api.patch<Conversation>(path(id), change)),
    relearn: async (id: string) => learn(await api.get<Conversation>(path(id))),
  }
})
