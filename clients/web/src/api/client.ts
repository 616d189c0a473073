/**
 * The one way to the server. Writes carry the cross-site token and an idempotency key, so that a write whose answer got
 * lost is sent again without having its effect twice.
 */
import { currentWords } from '@/words'
import { usePrefs } from '@/ui/prefs'

import { Problem, problemOf } from './problem'

type Query = Record<string, string | number | boolean | null | undefined>

interface Wanted {
  query?: Query
  json?: unknown
  body?: BodyInit
  headers?: Record<string, string>
  signal?: AbortSignal
}

const RETRY_AFTER_MS = [400, 1500]

let csrf = ''
let lastRequestAt = Date.now()
let onSignedOut: (problem: Problem) => void = () => undefined

export function setCsrf(token: string): void {
  csrf = token
}

/** When the server last heard of this page: the idle clock of the session starts there. */
export function lastHeardAt(): number {
  return lastRequestAt
}

export function whenSignedOut(tell: (problem: Problem) => void): void {
  onSignedOut = tell
}

/** A random key in the form of a UUID; `crypto.randomUUID` is missing in older browsers. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** The header by which the server knows a write that is sent again. */
export function onceAs(key: string): Record<string, string> {
  return { 'Idempotency-Key': key }
}

export function withQuery(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return pairs.length ? `${path}?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}` : path
}

/** The headers of a request, as the upload of file parts also needs them. */
export function headersOf(method: string, extra: Record<string, string> = {}): Record<string, string> {
  const language = usePrefs().language === 'zh' ? 'zh-CN' : 'en'
  const headers: Record<string, string> = { 'Accept-Language': language, ...extra }
  if (method !== 'GET') {
    headers['X-OA-CSRF'] = csrf
    headers['Idempotency-Key'] ??= newKey()
  }
  return headers
}

async function send(method: string, path: string, wanted: Wanted): Promise<Response> {
  const headers = headersOf(method, wanted.headers)
  if (wanted.json !== undefined) headers['Content-Type'] = 'application/json'
  const body = wanted.json === undefined ? wanted.body : JSON.stringify(wanted.json)
  for (let attempt = 0; ; attempt += 1) {
    try {
      const url = withQuery(path, wanted.query)
      const response = await fetch(url, { method, headers, body, signal: wanted.signal, credentials: 'same-origin' })
      lastRequestAt = Date.now()
      return response
    } catch (error) {
      const wait = RETRY_AFTER_MS[attempt]
      if (wanted.signal?.aborted) throw error
      if (wait === undefined) throw new Problem(0, 'web.unreachable', currentWords().state.unreachable)
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }
}

async function answered(method: string, path: string, wanted: Wanted): Promise<Response> {
  const response = await send(method, path, wanted)
  if (response.ok) return response
  const problem = await problemOf(response, currentWords().state.failed)
  if (response.status === 401) onSignedOut(problem)
  throw problem
}

async function json<T>(method: string, path: string, wanted: Wanted): Promise<T> {
  const response = await answered(method, path, wanted)
  return (response.status === 204 ? undefined : await response.json()) as T
}

type Tell = (done: number, total: number) => void

interface Line<T> {
  done?: number
  total?: number
  outcome?: T
  problem?: Partial<Problem>
}

/** The outcome of long work, which tells in lines how far it has come. A last line that is missing was lost. */
async function outcomeOf<T>(response: Response, tell: Tell): Promise<T> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: '' }
    const lines = (rest + (value ?? '')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines.map((one) => JSON.parse(one) as Line<T>)) {
      if (line.outcome !== undefined) return line.outcome
      if (line.problem) {
        const { status = 500, code = '', title = '', facts } = line.problem
        throw new Problem(status, code, title, facts)
      }
      tell(line.done ?? 0, line.total ?? 0)
    }
    if (done) throw new Problem(0, 'web.unreachable', currentWords().state.unreachable)
  }
}

export interface Pages {
  bytes: ArrayBuffer
  sha256: string
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => json<T>('GET', path, { query, signal }),
  post: <T>(path: string, body?: unknown, wanted: Wanted = {}) => json<T>('POST', path, { json: body, ...wanted }),
  patch: <T>(path: string, body: unknown, headers: Record<string, string> = {}) =>
    json<T>('PATCH', path, { json: body, headers }),
  put: <T>(path: string, body: unknown, headers: Record<string, string> = {}) => json<T>('PUT', path, { json: body, headers }),
  delete: (path: string, query?: Query) => json<undefined>('DELETE', path, { query }),
  /** Send bytes, get JSON. */
  sendBytes: <T>(path: string, body: Blob, type: string) =>
    json<T>('POST', path, { body, headers: { 'Content-Type': type } }),
  /** Send bytes, hear how far the work has come, get its outcome. */
  sendLong: async <T>(path: string, body: Blob, type: string, tell: Tell): Promise<T> => {
    const response = await answered('POST', path, { body, headers: { 'Content-Type': type } })
    return outcomeOf<T>(response, tell)
  },
  /** Send bytes, get a file that the browser saves. */
  saveAs: async (path: string, body: Blob, type: string, name: string): Promise<void> => {
    const response = await answered('POST', path, { body, headers: { 'Content-Type': type } })
    const link = document.createElement('a')
    link.href = URL.createObjectURL(await response.blob())
    link.download = name
    link.click()
    URL.revokeObjectURL(link.href)
  },
  /** The pages of a document, and the digest by which an opinion names them. */
  pages: async (path: string, signal?: AbortSignal): Promise<Pages> => {
    const response = await answered('GET', path, { signal })
    const sha256 = response.headers.get('ETag')?.replace(/^W\/|"/g, '') ?? ''
    return { bytes: await response.arrayBuffer(), sha256 }
  },
  /** Send JSON, get bytes: the preview. */
  render: async (path: string, body: unknown, signal?: AbortSignal) =>
    (await answered('POST', path, { json: body, signal })).arrayBuffer(),
}
