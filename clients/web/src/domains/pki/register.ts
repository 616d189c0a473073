/** What the pages of the register share: its figures, and doing an act that needs no signature. */
import { ElMessage } from 'element-plus'
import 'element-plus/es/components/message/style/css'
import { ref, type Ref } from 'vue'

import { api } from '@/api/client'
import type { Holder, Overview } from '@/api/pki'
import { titleOf, useLoad, type Loaded } from '@/ui/load'
import type { Words } from '@/words'

export function useOverview(): Loaded<Overview> {
  return useLoad((signal) => api.get<Overview>('/api/pki/overview', undefined, signal))
}

/** Where a holder is to be found: unit and organ of a person, nothing more of an organ than its name. */
export function whereOf(holder: Holder | null): string {
  if (!holder || holder.is_organ) return ''
  return [holder.organ, holder.unit].filter(Boolean).join('　')
}

export function nameOf(words: Words, holder: Holder | null): string {
  return holder?.name ?? words.pki.noHolder
}

export interface Doing {
  busy: Ref<boolean>
  problem: Ref<string>
  /** Run it and say that it is done; null when it was not, and `problem` then says why. */
  run: <T>(work: () => Promise<T>, done?: string) => Promise<T | null>
}

export function useDoing(): Doing {
  const busy = ref(false)
  const problem = ref('')

  async function run<T>(work: () => Promise<T>, done = ''): Promise<T | null> {
    if (busy.value) return null
    busy.value = true
    problem.value = ''
    try {
      const answer = await work()
      if (done) ElMessage.success(done)
      return answer
    } catch (error) {
      problem.value = titleOf(error)
      return null
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, run }
}
