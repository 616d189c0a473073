/**
 * The key agent beside this browser. It alone sees keys and PINs; this page only names certificates and hands over what
 * is to be signed. While the agent waits for a PIN in a window of its own, `pinUrl` holds that window's address.
 */
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { currentWords } from '@/words'

export type Usage = 'sign-in' | 'signing' | 'seal'

export interface Certificate {
  id: string
  token: string
  label: string
  subject: string
  issuer: string
  serial: string
  not_after: string
  certificate: string
  chain: string[]
}

interface Answer {
  id?: string
  ok?: boolean
  result?: unknown
  error?: { code: string; title: string }
  event?: string
  url?: string
  certificate_id?: string
}

interface Waiting {
  resolve: (result: never) => void
  reject: (error: Error) => void
}

export class AgentError extends Error {
  constructor(
    readonly code: string,
    readonly title: string,
  ) {
    super(title)
  }
}

const SUBPROTOCOL = 'oa-agent.1'
const OWN_PAGE = /^http:\/\/127\.0\.0\.1:\d+\//

export const useAgent = defineStore('agent', () => {
  const state = ref<'absent' | 'connecting' | 'ready'>('connecting')
  const version = ref('')
  const pinUrl = ref('')
  const asking = ref(0)
  const waiting = new Map<string, Waiting>()
  let socket: WebSocket | null = null
  let opening: Promise<WebSocket> | null = null
  let port = 0
  let next = 0
  let onKeyRemoved: (certificateId?: string) => void = () => undefined
  let onGone: () => void = () => undefined

  function open(): Promise<WebSocket> {
    if (socket?.readyState === WebSocket.OPEN) return Promise.resolve(socket)
    opening ??= new Promise<WebSocket>((resolve, reject) => {
      state.value = state.value === 'ready' ? 'ready' : 'connecting'
      const opened = new WebSocket(`ws://127.0.0.1:${port}`, SUBPROTOCOL)
      opened.onopen = () => resolve((socket = opened))
      opened.onmessage = (message: MessageEvent<string>) => receive(JSON.parse(message.data) as Answer)
      opened.onclose = () => {
        const words = currentWords()
        const error = new AgentError('agent.absent', words.agent.absent)
        reject(error)
        waiting.forEach(({ reject: refuse }) => refuse(error))
        waiting.clear()
        const wasReady = state.value === 'ready'
        state.value = 'absent'
        socket = null
        if (wasReady) onGone()
      }
    }).finally(() => (opening = null))
    return opening
  }

  function receive(answer: Answer): void {
    if (answer.event === 'pin-needed' && OWN_PAGE.test(answer.url ?? '')) return askForPin(answer.url ?? '')
    if (answer.event === 'key-removed') return onKeyRemoved(answer.certificate_id)
    const waiter = waiting.get(answer.id ?? '')
    waiting.delete(answer.id ?? '')
    if (answer.ok) waiter?.resolve(answer.result as never)
    else waiter?.reject(new AgentError(answer.error?.code ?? '', answer.error?.title ?? currentWords().state.failed))
  }

  /** Open the agent's own page for the PIN; should the browser block it, the user opens it by the button that shows. */
  function askForPin(url: string): void {
    pinUrl.value = url
    window.open(url, 'oa-agent-pin', 'popup,width=460,height=380')
  }

  async function call<T>(command: string, parameters: Record<string, unknown> = {}): Promise<T> {
    const connection = await open()
    const id = String((next += 1))
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as Waiting['resolve'], reject })
      connection.send(JSON.stringify({ id, command, ...parameters }))
    })
  }

  /** Run what may ask for a PIN; meanwhile the page says so. */
  async function withPin<T>(run: () => Promise<T>): Promise<T> {
    asking.value += 1
    try {
      return await run()
    } finally {
      asking.value -= 1
      pinUrl.value = ''
    }
  }

  async function connect(agentPort: number): Promise<boolean> {
    port = agentPort
    try {
      version.value = (await call<{ version: string }>('hello')).version
      state.value = 'ready'
    } catch {
      state.value = 'absent'
    }
    return state.value === 'ready'
  }

  /** Stop waiting for an answer: the PIN was not entered. */
  function cancel(): void {
    const error = new AgentError('agent.cancelled', currentWords().agent.cancelled)
    waiting.forEach(({ reject }) => reject(error))
    waiting.clear()
  }

  return {
    state,
    version,
    pinUrl,
    waitsForPin: computed(() => asking.value > 0),
    connect,
    cancel,
    certificates: (usage: Usage) => call<Certificate[]>('certificates', { usage }),
    authenticate: (certificateId: string, nonce: string) =>
      withPin(() => call<{ signature: string }>('authenticate', { certificate_id: certificateId, nonce })),
    sign: (certificateId: string, request: string) =>
      withPin(() => call<{ signature: string }>('sign', { certificate_id: certificateId, request })),
    watch: (certificateId: string) => call('watch', { certificate_id: certificateId }),
    whenKeyRemoved: (tell: (certificateId?: string) => void) => (onKeyRemoved = tell),
    whenGone: (tell: () => void) => (onGone = tell),
  }
})
