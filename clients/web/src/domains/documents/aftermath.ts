/** After an act: say that it is done, and take the user to what comes next if they want. */
import { ElMessage } from 'element-plus'
import 'element-plus/es/components/message/style/css'
import { shallowRef, type ShallowRef } from 'vue'
import { useRouter } from 'vue-router'

import type { Task } from '@/api/types'
import { useSession } from '@/domains/identity/session'
import { nextTask, pathOf } from '@/domains/workflow/tasks'
import { useKeys } from '@/ui/keys'
import { currentWords, term } from '@/words'

export interface Aftermath {
  next: ShallowRef<Task | null>
  done: (verb: string, id: string) => Promise<void>
  openNext: () => void
}

export function useAftermath(): Aftermath {
  const router = useRouter()
  const store = useSession()
  const next = shallowRef<Task | null>(null)

  async function done(verb: string, id: string): Promise<void> {
    ElMessage.success(term(currentWords().acts.done, verb))
    void store.touch().catch(() => undefined)
    next.value = await nextTask(id).catch(() => null)
  }

  function openNext(): void {
    if (next.value) void router.push(pathOf(next.value))
  }

  useKeys({ key: 'n', label: (w) => w.keys.nextTask, run: openNext })
  return { next, done, openNext }
}
