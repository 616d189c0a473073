/** One act for each of many rows, one after the other: what fails fails alone, and it can be stopped between two. */
import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue'

import { titleOf } from '@/ui/load'

export interface Failure<T> {
  item: T
  reason: string
}

export interface Sequence<T> {
  total: Ref<number>
  done: Ref<number>
  failures: ShallowRef<Failure<T>[]>
  isRunning: Ref<boolean>
  /** How much of it is over, in per cent. */
  share: ComputedRef<number>
  run: (items: T[], act: (item: T) => Promise<unknown>) => Promise<void>
  stop: () => void
}

export function useSequence<T>(): Sequence<T> {
  const total = ref(0)
  const done = ref(0)
  const failures = shallowRef<Failure<T>[]>([])
  const isRunning = ref(false)
  const over = computed(() => done.value + failures.value.length)
  const share = computed(() => (total.value ? Math.round((over.value / total.value) * 100) : 0))

  async function run(items: T[], act: (item: T) => Promise<unknown>): Promise<void> {
    if (isRunning.value) return
    isRunning.value = true
    total.value = items.length
    done.value = 0
    failures.value = []
    for (const item of items) {
      if (!isRunning.value) break
      try {
        await act(item)
        done.value += 1
      } catch (error) {
        failures.value = [...failures.value, { item, reason: titleOf(error) }]
      }
    }
    isRunning.value = false
  }

  return { total, done, failures, isRunning, share, run, stop: () => (isRunning.value = false) }
}
