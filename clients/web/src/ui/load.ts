/** Reading from the server with the states that a page shows: loading, a problem, or what was read. */
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'

import { AgentError } from '@/agent/agent'
import { Problem } from '@/api/problem'
import type { Page } from '@/api/types'
import { currentWords } from '@/words'

/** What to tell the user about anything that went wrong. */
export function titleOf(error: unknown): string {
  return error instanceof Problem || error instanceof AgentError ? error.title : currentWords().state.failed
}

export interface Loaded<T> {
  data: ShallowRef<T | null>
  problem: Ref<string>
  loading: Ref<boolean>
  /** Read anew; what is shown stays until the answer is there, and only the last of several answers counts. */
  reload: () => Promise<void>
}

export function useLoad<T>(fetch: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null)
  const problem = ref('')
  const loading = ref(false)
  let running: AbortController | null = null

  async function reload(): Promise<void> {
    running?.abort()
    const mine = (running = new AbortController())
    loading.value = true
    try {
      data.value = await fetch(mine.signal)
      problem.value = ''
    } catch (error) {
      if (!mine.signal.aborted) problem.value = titleOf(error)
    } finally {
      if (running === mine) loading.value = false
    }
  }

  onScopeDispose(() => running?.abort())
  void reload()
  return { data, problem, loading, reload }
}

export interface Paged<T> extends Loaded<Page<T>> {
  items: ShallowRef<T[]>
  more: () => Promise<void>
}

/** A list that goes on by cursor. Reading anew starts from the first page with as many rows as are shown. */
export function usePages<T>(fetch: (cursor: string, limit: number) => Promise<Page<T>>, size = 50): Paged<T> {
  const items = shallowRef<T[]>([])
  const first = useLoad(async () => {
    const page = await fetch('', Math.min(Math.max(size, items.value.length), 200))
    items.value = page.items
    return page
  })

  async function more(): Promise<void> {
    const cursor = first.data.value?.next
    if (!cursor || first.loading.value) return
    first.loading.value = true
    try {
      const page = await fetch(cursor, size)
      items.value = [...items.value, ...page.items]
      first.data.value = page
    } catch (error) {
      first.problem.value = titleOf(error)
    } finally {
      first.loading.value = false
    }
  }

  return { ...first, items, more }
}
