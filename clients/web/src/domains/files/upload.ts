/**
 * Uploading attachments in parts. An upload goes on where the server says it stopped: after a pause, a broken network,
 * or when the same file is chosen again after a reload.
 */
import { onScopeDispose, reactive, ref, type Ref } from 'vue'

import { api, headersOf, newKey, onceAs } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Attachment, Upload } from '@/api/types'
import { titleOf } from '@/ui/load'
import { currentWords } from '@/words'

export interface Running {
  key: number
  /** Names this upload's beginning, so that one whose answer got lost is not begun twice. */
  creation: string
  file: File
  id: string
  sent: number
  state: 'uploading' | 'paused' | 'retrying' | 'failed' | 'ready'
  problem: string
}

const WAITS_MS = [1000, 2000, 5000, 10_000, 20_000]

export interface Uploads {
  running: Ref<Running[]>
  add: (files: File[], known: Attachment[]) => Promise<void>
  pause: (upload: Running) => void
  resume: (upload: Running) => void
  remove: (upload: Running) => Promise<void>
}

/** `onReady` hears of every file that has arrived, whatever was found in it. */
export function useUploads(subject: () => Promise<string>, onReady: (id: string) => void, subjectType = 'outgoing'): Uploads {
  const running = ref<Running[]>([])
  const requests = new Map<number, XMLHttpRequest>()
  let next = 0

  async function add(files: File[], known: Attachment[]): Promise<void> {
    for (const file of files) {
      // A file begun before, of the same name and size, is continued.
      const begun = known.find((one) => one.state === 'uploading' && one.name === file.name && one.size === file.size)
      const upload: Running = reactive({
        key: (next += 1), creation: newKey(), file, id: begun?.id ?? '', sent: begun?.offset ?? 0, state: 'uploading', problem: '',
      })
      running.value.push(upload)
      await run(upload)
    }
  }

  async function run(upload: Running, attempt = 0): Promise<void> {
    upload.state = 'uploading'
    let at = upload.sent
    try {
      let server = upload.id ? await api.get<Upload>(`/api/files/${upload.id}`) : await begin(upload)
      while (server.offset < upload.file.size && upload.state === 'uploading') {
        at = upload.sent = server.offset
        server = await sendPart(upload, server)
        attempt = 0
      }
      if (upload.state === 'uploading') finish(upload)
    } catch (error) {
      upload.sent = at
      if (isPaused(upload)) return
      await recover(upload, error, attempt)
    }
  }

  async function begin(upload: Running): Promise<Upload> {
    const { name, size } = upload.file
    const wanted = { name, size, subject_type: subjectType, subject_id: await subject() }
    const begun = await api.post<Upload>('/api/files', wanted, { headers: onceAs(upload.creation) })
    upload.id = begun.id
    return begun
  }

  /** What may pass is tried again, the server's own offset first; what was refused stays refused. */
  async function recover(upload: Running, error: unknown, attempt: number): Promise<void> {
    // It has arrived, and stands among the attachments with what was found in it.
    if (error instanceof Problem && error.code === 'files.infected') return void finish(upload)
    const wait = WAITS_MS[attempt]
    const mayPass = error instanceof Problem && (error.status === 0 || error.status === 409 || error.status >= 500)
    if (!mayPass || wait === undefined) {
      upload.state = 'failed'
      upload.problem = titleOf(error)
      return
    }
    upload.state = 'retrying'
    await new Promise((resolve) => setTimeout(resolve, wait))
    if (!isPaused(upload)) await run(upload, attempt + 1)
  }

  function sendPart(upload: Running, server: Upload): Promise<Upload> {
    const part = upload.file.slice(server.offset, server.offset + server.chunk)
    const headers = { 'Upload-Offset': String(server.offset), 'Content-Type': 'application/offset+octet-stream' }
    // fetch tells nothing about how much has been sent; XMLHttpRequest does.
    const request = new XMLHttpRequest()
    requests.set(upload.key, request)
    return new Promise((resolve, reject) => {
      request.open('PATCH', `/api/files/${upload.id}`)
      Object.entries(headersOf('PATCH', headers)).forEach(([name, value]) => request.setRequestHeader(name, value))
      request.responseType = 'json'
      request.upload.onprogress = ({ loaded }) => (upload.sent = server.offset + loaded)
      request.onload = () => (request.status < 300 ? resolve(request.response as Upload) : reject(refusal(request)))
      request.onerror = request.onabort = () => reject(new Problem(0, 'web.unreachable', currentWords().state.unreachable))
      request.send(part)
    })
  }

  function refusal(request: XMLHttpRequest): Problem {
    const said = (request.response ?? {}) as Partial<Problem>
    return new Problem(request.status, said.code ?? '', said.title ?? currentWords().state.failed, said.facts)
  }

  function finish(upload: Running): void {
    upload.state = 'ready'
    running.value = running.value.filter((one) => one.key !== upload.key)
    onReady(upload.id)
  }

  function isPaused(upload: Running): boolean {
    return upload.state === 'paused'
  }

  function pause(upload: Running): void {
    upload.state = 'paused'
    requests.get(upload.key)?.abort()
  }

  async function remove(upload: Running): Promise<void> {
    pause(upload)
    running.value = running.value.filter((one) => one.key !== upload.key)
    if (upload.id) await api.delete(`/api/files/${upload.id}`)
  }

  onScopeDispose(() => running.value.forEach(pause))
  return { running, add, pause, resume: (upload) => void run(upload), remove }
}
