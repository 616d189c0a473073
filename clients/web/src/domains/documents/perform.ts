/** Doing a verb: ask the server what is to be signed, have the key agent sign it, hand the signature in. */
import { ref, type Ref } from 'vue'

import { api } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Act, SignedAct } from '@/api/types'
import { signedAct } from '@/domains/signing/signed'
import { titleOf } from '@/ui/load'
import { currentWords, term } from '@/words'

import { formOf, type Collection } from './acts'

/** What the regulation finds wanting in a draft, and where it says so. */
export interface Finding {
  text: string
  source: string
}

export interface Performing {
  busy: Ref<boolean>
  problem: Ref<string>
  findings: Ref<Finding[]>
  /**
   * The document after the act, or null when it was not done; `problem` then says why. `readSha256` names the pages
   * that are on the screen: an opinion on any others is refused.
   */
  perform: <T>(id: string, act: Act, readSha256?: string | null) => Promise<T | null>
}

export function usePerform(collection: Collection): Performing {
  const busy = ref(false)
  const problem = ref('')
  const findings = ref<Finding[]>([])

  async function signed(id: string, act: Act, readSha256?: string | null): Promise<SignedAct> {
    const usage = formOf(collection, act.verb).signs
    if (!usage) return act
    return signedAct(`/api/${collection}/${id}`, act, usage, { pages_sha256: readSha256 ?? null })
  }

  async function perform<T>(id: string, act: Act, readSha256?: string | null): Promise<T | null> {
    if (busy.value) return null
    busy.value = true
    problem.value = ''
    findings.value = []
    try {
      return await api.post<T>(`/api/${collection}/${id}/acts`, await signed(id, act, readSha256))
    } catch (error) {
      findings.value = findingsOf(error)
      problem.value = findings.value.length ? currentWords().acts.findings : titleOf(error)
      return null
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, findings, perform }
}

function findingsOf(error: unknown): Finding[] {
  const all = error instanceof Problem ? (error.facts.all as { code: string; article: string }[] | undefined) : []
  const { findings } = currentWords().codes
  return (all ?? []).map(({ code, article }) => ({ text: term(findings, code), source: citation(article) }))
}

/** `9(6)` as the language cites it. */
function citation(article: string): string {
  const [number = '', item = ''] = article.split(/[()]/)
  return currentWords().acts.article(number, item)
}
