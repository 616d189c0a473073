/**
 * What happens elsewhere, as it happens. The connection resumes after the last event it has seen; when the server says
 * that too much has happened since, everybody who listens starts over.
 */
import { defineStore } from 'pinia'
import { onScopeDispose, ref } from 'vue'

export interface LiveEvent {
  kind: string
  payload: Record<string, unknown>
}

type Listener = (event: LiveEvent) => void

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 20_000
export const RESET: LiveEvent = { kind: 'reset', payload: {} }

export const useLive = defineStore('live', () => {
  const connected = ref(true)
  const listeners = new Set<Listener>()
  let socket: WebSocket | null = null
  let lastId: number | null = null
  let wait = FIRST_WAIT_MS
  let timer: ReturnType<typeof setTimeout> | undefined
  let wanted = false

  function connect(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const opened = new WebSocket(`${scheme}://${location.host}/api/live`)
    opened.binaryType = 'arraybuffer'
    opened.onopen = () => {
      // Whoever was away before the first event cannot name it, so what happened meanwhile is read anew.
      if (!connected.value && lastId === null) tellAll(RESET)
      connected.value = true
      wait = FIRST_WAIT_MS
      opened.send(JSON.stringify({ after: lastId }))
    }
    opened.onmessage = (message: MessageEvent<string | ArrayBuffer>) => receive(message.data)
    opened.onclose = () => {
      if (socket !== opened || !wanted) return
      connected.value = false
      timer = setTimeout(connect, wait)
      wait = Math.min(wait * 2, LONGEST_WAIT_MS)
    }
    socket = opened
  }

  function receive(data: string | ArrayBuffer): void {
    const text = typeof data === 'string' ? data : new TextDecoder().decode(data)
    const said = JSON.parse(text) as LiveEvent & { id: number; reset?: boolean }
    // Events may come twice after a reconnect; those already seen are dropped. Id 0 stands for no stored event.
    if (!said.reset && said.id && lastId !== null && said.id <= lastId) return
    if (said.id) lastId = said.id
    tellAll(said.reset ? RESET : said)
  }

  function tellAll(event: LiveEvent): void {
    listeners.forEach((tell) => tell(event))
  }

  function start(): void {
    if (wanted) return
    wanted = true
    connect()
  }

  function stop(): void {
    wanted = false
    clearTimeout(timer)
    socket?.close()
    socket = null
    lastId = null
    connected.value = true
  }

  function listen(tell: Listener): () => void {
    listeners.add(tell)
    return () => listeners.delete(tell)
  }

  return { connected, start, stop, listen }
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
