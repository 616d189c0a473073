/** The pages as they will be printed, laid out anew when the writer pauses. */
import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'

import { api } from '@/api/client'
import type { Draft } from '@/api/types'
import { titleOf } from '@/ui/load'

const IDLE_MS = 500

export interface Preview {
  pages: Ref<ArrayBuffer | null>
  problem: Ref<string>
  busy: Ref<boolean>
}

type Sent = Draft & { document_id?: string }

export function usePreview(changes: () => unknown, draft: () => Sent, wanted: Ref<boolean>): Preview {
  const pages = shallowRef<ArrayBuffer | null>(null)
  const problem = ref('')
  const busy = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: AbortController | null = null

  async function render(): Promise<void> {
    running?.abort()
    const mine = (running = new AbortController())
    busy.value = true
    try {
      pages.value = await api.render('/api/documents/preview', draft(), mine.signal)
      problem.value = ''
    } catch (error) {
      if (!mine.signal.aborted) problem.value = titleOf(error)
    } finally {
      if (running === mine) busy.value = false
    }
  }

  watch([changes, wanted], () => {
    clearTimeout(timer)
    if (wanted.value) timer = setTimeout(() => void render(), IDLE_MS)
  }, { immediate: true, deep: true })
  onScopeDispose(() => {
    clearTimeout(timer)
    running?.abort()
  })
  return { pages, problem, busy }
}
