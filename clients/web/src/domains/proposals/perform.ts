/** Doing a verb on a case or an assignment, signed where it has to be. */
import { ref, type Ref } from 'vue'

import { api } from '@/api/client'
import type { Proposal } from '@/api/proposals'
import type { Act } from '@/api/types'
import { signedAct } from '@/domains/signing/signed'
import { titleOf } from '@/ui/load'

export interface Performing {
  busy: Ref<boolean>
  problem: Ref<string>
  /** The case after the act, or null when it was not done; `problem` then says why. */
  perform: (path: string, act: Act, signs: boolean) => Promise<Proposal | null>
}

export function usePerform(): Performing {
  const busy = ref(false)
  const problem = ref('')

  async function perform(path: string, act: Act, signs: boolean): Promise<Proposal | null> {
    if (busy.value) return null
    busy.value = true
    problem.value = ''
    try {
      return await api.post<Proposal>(`${path}/acts`, signs ? await signedAct(path, act, 'signing') : act)
    } catch (error) {
      problem.value = titleOf(error)
      return null
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, perform }
}
