import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, ref } from 'vue'

import { useDraft } from './draft'

describe('useDraft', () => {
  const scope = effectScope()

  beforeEach(() => {
    vi.useFakeTimers()
    setActivePinia(createPinia())
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('makes one draft when the answer gets lost, and then saves what was written meanwhile', async () => {
    const requests: { method: string; key: unknown; title: string }[] = []
    vi.stubGlobal('fetch', vi.fn(async (_url: string, init: RequestInit) => {
      const draft = JSON.parse(String(init.body)) as { elements: { title: string } }
      const key = (init.headers as Record<string, string>)['Idempotency-Key']
      requests.push({ method: String(init.method), key, title: draft.elements.title })
      if (requests.length < 5) throw new TypeError('the network broke')
      const said = { ...draft, id: 'd1', etag: '1', attachments: [], abilities: [{ verb: 'edit', allowed: true, reason: null }] }
      return new Response(JSON.stringify(said), { headers: { 'Content-Type': 'application/json' } })
    }))
    const draft = scope.run(() => useDraft(ref('new'), 'o1', '江城市人民政府办公室')) as ReturnType<typeof useDraft>
    draft.elements.title = '通知'
    await vi.advanceTimersByTimeAsync(4000)
    draft.elements.title = '关于防汛的通知'
    await vi.runAllTimersAsync()
    const creations = requests.filter((one) => one.method === 'POST')
    expect(new Set(creations.map((one) => one.key)).size).toBe(1)
    expect(new Set(creations.map((one) => one.title))).toEqual(new Set(['通知']))
    expect(requests.at(-1)).toMatchObject({ method: 'PATCH', title: '关于防汛的通知' })
    expect(draft.status.value).toBe('saved')
  })
})
