/**
 * The key agent beside this browser. It alone sees keys and PINs; this page only names certificates and hands over what
 * is to be signed. While the agent waits for a PIN in a window of its own, `pinUrl` holds that window's address.
 */
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { currentWords, term } from '@/words'

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

/** A device that the agent sees; `kind` is token or software. */
export interface Token {
  id: string
  label: string
  kind: string
}

/** What is generated in a device: the use of the key, its name there, and whom its request names. */
export interface WantedKey {
  token: string
  usage: Usage
  label: string
  subject: { common: string; organ?: string; unit?: string; number?: string }
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

type Parameters = Record<string, unknown>

const PIN_WINDOW = 'popup,width=560,height=680'
const SUBPROTOCOL = 'oa-agent.1'
const OWN_PAGE = /^http:\/\/127\.0\.0\.1:\d+\//

export const useAgent = defineStore('agent', () => {
  const state = ref<'absent' | 'connecting' | 'ready'>('connecting')
  const version = ref('')
  const pinUrl = ref('')
  const pinIds = ref<string[]>([])
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
    else waiter?.reject(refusalOf(answer))
  }

  function refusalOf({ error }: Answer): AgentError {
    const { agent, state: said } = currentWords()
    const code = error?.code ?? ''
    return new AgentError(code, term(agent.problems, code, error?.title ?? said.failed))
  }

  /** Open the agent's own page for the PIN. Its address is good once: its button shows only if this was blocked. */
  function askForPin(url: string): void {
    const popup = window.open(url, 'oa-agent-pin', PIN_WINDOW)
    pinUrl.value = popup ? '' : url
  }

  function openPinPage(): void {
    askForPin(pinUrl.value)
  }

  async function call<T>(command: string, parameters: Parameters = {}, id = newId()): Promise<T> {
    const connection = await open()
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as Waiting['resolve'], reject })
      connection.send(JSON.stringify({ id, command, ...parameters }))
    })
  }

  function newId(): string {
    return String((next += 1))
  }

  /** Call what may ask for a PIN; meanwhile the page says so. */
  async function callWithPin<T>(command: string, parameters: Parameters): Promise<T> {
    const id = newId()
    pinIds.value = [...pinIds.value, id]
    try {
      return await call<T>(command, parameters, id)
    } finally {
      pinIds.value = pinIds.value.filter((one) => one !== id)
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

  /** Give up what waits for a PIN; the agent closes its window. */
  function cancel(): void {
    const error = new AgentError('agent.cancelled', currentWords().agent.cancelled)
    for (const id of pinIds.value) {
      waiting.get(id)?.reject(error)
      waiting.delete(id)
      void call('cancel', { target: id }).catch(() => undefined)
    }
  }

  return {
    state,
    version,
    pinUrl,
    waitsForPin: computed(() => pinIds.value.length > 0),
    connect,
    cancel,
    openPinPage,
    certificates: (usage: Usage) => call<Certificate[]>('certificates', { usage }),
    authenticate: (certificateId: string, nonce: string) =>
      callWithPin<{ signature: string }>('authenticate', { certificate_id: certificateId, nonce }),
    sign: (certificateId: string, request: string) =>
      callWithPin<{ signature: string }>('sign', { certificate_id: certificateId, request }),
    tokens: () => call<Token[]>('tokens'),
    /** Generate a key in a device; the answer is the certificate request, in PEM. */
    generate: ({ token, usage, label, subject }: WantedKey) =>
      callWithPin<{ csr: string }>('generate', { token, usage, label, subject }),
    /** Write an issued certificate with its chain (base64 DER) beside its key. */
    writeCertificate: (token: string, certificate: string, chain: string[]) =>
      callWithPin<{ certificate_id: string }>('write-certificate', { token, certificate, chain }),
    /** Give a device a new PIN; the agent asks for its administrator's PIN and has the holder enter the new one. */
    unlock: (token: string) => callWithPin<{ token: string }>('unlock', { token }),
    watch: (certificateId: string) => call('watch', { certificate_id: certificateId }),
    whenKeyRemoved: (tell: (certificateId?: string) => void) => (onKeyRemoved = tell),
    whenGone: (tell: () => void) => (onGone = tell),
  }
})
