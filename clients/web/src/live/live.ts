/**
 * What happens elsewhere, as it happens. The connection resumes after the last event it has seen; when the server says
 * that too much has happened since, everybody who listens starts over.
 */
import { defineStore } from 'pinia'
import { onScopeDispose, ref } from 'vue'

import { Reconnecting } from './reconnecting'

export interface LiveEvent {
  kind: string
  payload: Record<string, unknown>
}

type Listener = (event: LiveEvent) => void

export const RESET: LiveEvent = { kind: 'reset', payload: {} }

export const useLive = defineStore('live', () => {
  const connected = ref(true)
  const listeners = new Set<Listener>()
  let lastId: number | null = null
  const connection = new Reconnecting('/api/live', {
    opened: () => {
      // Whoever was away before the first event cannot name it, so what happened meanwhile is read anew.
      if (!connected.value && lastId === null) tellAll(RESET)
      connected.value = true
      connection.send(JSON.stringify({ after: lastId }))
    },
    said: receive,
    lost: () => (connected.value = false),
  })

  function receive(text: string): void {
    const said = JSON.parse(text) as LiveEvent & { id: number; reset?: boolean }
    // Events may come twice after a reconnect; those already seen are dropped. Id 0 stands for no stored event.
    if (!said.reset && said.id && lastId !== null && said.id <= lastId) return
    if (said.id) lastId = said.id
    tellAll(said.reset ? RESET : said)
  }

  function tellAll(event: LiveEvent): void {
    listeners.forEach((tell) => tell(event))
  }

  function stop(): void {
    connection.stop()
    lastId = null
    connected.value = true
  }

  function listen(tell: Listener): () => void {
    listeners.add(tell)
    return () => listeners.delete(tell)
  }

  return { connected, start: () => connection.start(), stop, listen }
})

/** Hear live events for as long as the component lives. */
export function onLive(tell: Listener): void {
  onScopeDispose(useLive().listen(tell))
}

/** Run once shortly after the last of many events: 68 receipts in a minute need not be 68 reloads. */
export function settled(run: () => void, delay = 250): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  onScopeDispose(() => clearTimeout(timer))
  return () => {
    clearTimeout(timer)
    timer = setTimeout(run, delay)
  }
}
