import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { usePrefs } from '@/ui/prefs'

import { useSession } from './session'

const SERIAL = '0a'
const LONG_ENOUGH_MS = 20_000

/** The key agent, and the live connection of the server, by the sockets that the page opens to them. */
class World {
  agentRuns = true
  keyIsIn = true
  sockets: { url: string; onclose?: () => void; onmessage?: (message: { data: string }) => void }[] = []

  install(): void {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the class below has a `this` of its own
    const world = this
    vi.stubGlobal('WebSocket', class {
      static OPEN = 1
      readyState = 0
      onopen?: () => void
      onclose?: () => void
      onmessage?: (message: { data: string }) => void
      constructor(readonly url: string) {
        world.sockets.push(this)
        setTimeout(() => {
          this.readyState = 1
          if (world.agentRuns || url.includes('/api/live')) this.onopen?.()
          else this.onclose?.()
        })
      }
      close(): void {}
      send(text: string): void {
        const { id, command } = JSON.parse(text) as { id?: string; command?: string }
        const keys = world.keyIsIn ? [{ id: 'k1', serial: SERIAL }] : []
        const result = command === 'certificates' ? keys : { version: '1' }
        if (command) setTimeout(() => this.onmessage?.({ data: JSON.stringify({ id, ok: true, result }) }))
      }
    })
    vi.stubGlobal('fetch', vi.fn(async (url: string, init: RequestInit) => {
      if (init.method === 'DELETE') return new Response(null, { status: 204 })
      return new Response(JSON.stringify(url === '/api/about' ? { agent_port: 1 } : { csrf: 'c', certificate_serial: SERIAL }))
    }))
  }

  socket(part: string) {
    return this.sockets.filter(({ url }) => url.includes(part)).at(-1)
  }

  stopAgent(): void {
    this.agentRuns = false
    this.socket('127.0.0.1')?.onclose?.()
  }
}

describe('useSession', () => {
  let world: World

  beforeEach(() => {
    vi.useFakeTimers()
    setActivePinia(createPinia())
    world = new World()
    world.install()
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
    localStorage.clear()
  })

  async function begun() {
    const session = useSession()
    await session.restore()
    await vi.advanceTimersByTimeAsync(100)
    return session
  }

  it('ends when the agent is there again without the key', async () => {
    const session = await begun()
    expect(session.keyCertificate?.id).toBe('k1')
    world.stopAgent()
    world.keyIsIn = false
    await vi.advanceTimersByTimeAsync(LONG_ENOUGH_MS)
    expect(session.session).not.toBeNull()
    world.agentRuns = true
    await vi.advanceTimersByTimeAsync(LONG_ENOUGH_MS)
    expect(session.session).toBeNull()
    expect(session.endReason).toContain('证书已拔出')
  })
  it('goes on when the agent is there again with the key, which is watched anew', async () => {
    const session = await begun()
    world.stopAgent()
    await vi.advanceTimersByTimeAsync(LONG_ENOUGH_MS)
    world.agentRuns = true
    await vi.advanceTimersByTimeAsync(LONG_ENOUGH_MS)
    expect(session.session).not.toBeNull()
    world.socket('127.0.0.1')?.onmessage?.({ data: '{"event": "key-removed", "certificate_id": "k1"}' })
    await vi.advanceTimersByTimeAsync(100)
    expect(session.session).toBeNull()
  })
  it('says in the language of the page why it ended, and in the words of the server what it has no words for', async () => {
    for (const [code, said] of [['identity.session_revoked', 'Your certificate was revoked'], ['identity.new', '服务器的话']]) {
      const session = await begun()
      usePrefs().language = 'en'
      const payload = { code, title: '服务器的话' }
      world.socket('/api/live')?.onmessage?.({ data: JSON.stringify({ id: 0, kind: 'session.ended', payload }) })
      expect(session.session).toBeNull()
      expect(session.endReason).toContain(said)
      setActivePinia(createPinia())
    }
  })
})
