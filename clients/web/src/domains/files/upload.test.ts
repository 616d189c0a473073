import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'

import { useUploads, type Uploads } from './upload'

/** A server that keeps parts, told through the two ways in which the browser speaks to it. */
class Server {
  received = 0
  offsets: number[] = []
  breaksAt = -1
  infected = false

  constructor(readonly size: number, readonly chunk: number) {}

  answer() {
    return { id: 'f1', name: 'a.pdf', size: this.size, offset: this.received, chunk: this.chunk, state: 'uploading', sha256: null, malware: '' }
  }

  install(): void {
    const respond = async () => new Response(JSON.stringify(this.answer()), { headers: { 'Content-Type': 'application/json' } })
    vi.stubGlobal('fetch', vi.fn(respond))
    vi.stubGlobal('XMLHttpRequest', this.request())
  }

  private request() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the class below has a `this` of its own
    const server = this
    return class {
      upload = {}
      status = 200
      response: unknown = null
      onload = () => undefined
      onerror = () => undefined
      private offset = 0
      open(): void {}
      abort(): void {}
      setRequestHeader(name: string, value: string): void {
        if (name === 'Upload-Offset') this.offset = Number(value)
      }
      send(part: Blob): void {
        server.offsets.push(this.offset)
        if (this.offset === server.breaksAt) {
          server.breaksAt = -1
          return void setTimeout(this.onerror)
        }
        server.received += part.size
        this.response = server.infected ? { code: 'files.infected', title: '附件含有恶意代码' } : server.answer()
        if (server.infected) this.status = 422
        setTimeout(this.onload)
      }
    }
  }
}

describe('useUploads', () => {
  const scope = effectScope()
  let ready = 0
  let uploads: Uploads

  beforeEach(() => {
    vi.useFakeTimers()
    setActivePinia(createPinia())
    ready = 0
    uploads = scope.run(() => useUploads(() => Promise.resolve('d1'), () => (ready += 1))) as Uploads
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  const file = (size: number) => new File([new Uint8Array(size)], 'a.pdf')

  it('sends a file in parts of the size that the server asks for', async () => {
    const server = new Server(20, 8)
    server.install()
    void uploads.add([file(20)], [])
    await vi.runAllTimersAsync()
    expect(server.offsets).toEqual([0, 8, 16])
    expect(ready).toBe(1)
    expect(uploads.running.value).toEqual([])
  })

  it('goes on from the offset of the server after the network broke', async () => {
    const server = new Server(20, 8)
    server.breaksAt = 8
    server.install()
    void uploads.add([file(20)], [])
    await vi.runAllTimersAsync()
    expect(server.offsets).toEqual([0, 8, 8, 16])
    expect(ready).toBe(1)
  })

  it('leaves what is infected to the list of attachments, and does not try it again', async () => {
    const server = new Server(8, 8)
    server.infected = true
    server.install()
    void uploads.add([file(8)], [])
    await vi.runAllTimersAsync()
    expect(server.offsets).toEqual([0])
    expect(ready).toBe(1)
    expect(uploads.running.value).toEqual([])
  })

  it('continues an unfinished attachment when the same file is chosen again', async () => {
    const server = new Server(20, 8)
    server.received = 16
    server.install()
    void uploads.add([file(20)], [{ id: 'f1', name: 'a.pdf', size: 20, offset: 16, state: 'uploading', sha256: null, malware: '' }])
    await vi.runAllTimersAsync()
    expect(server.offsets).toEqual([16])
    expect(ready).toBe(1)
  })

  it('begins once, however often the answer to its beginning gets lost', async () => {
    const server = new Server(8, 8)
    server.install()
    const answers = vi.mocked(fetch).getMockImplementation()
    const keys: unknown[] = []
    vi.mocked(fetch).mockImplementation(async (...request) => {
      if (request[1]?.method === 'POST') keys.push((request[1].headers as Record<string, string>)['Idempotency-Key'])
      if (keys.length < 5) throw new TypeError('the network broke')
      return answers?.(...request) as Promise<Response>
    })
    void uploads.add([file(8)], [])
    await vi.runAllTimersAsync()
    expect(keys).toHaveLength(5)
    expect(new Set(keys).size).toBe(1)
    expect(ready).toBe(1)
  })
})
