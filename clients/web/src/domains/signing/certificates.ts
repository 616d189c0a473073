/** Which certificate signs: found by usage and holder; only when several fit is the user asked. */
import { shallowRef } from 'vue'

import { AgentError, useAgent, type Certificate, type Usage } from '@/agent/agent'
import { candidates } from '@/agent/subject'
import { useSession } from '@/domains/identity/session'
import { currentWords } from '@/words'

export interface Question {
  certificates: Certificate[]
  answer: (chosen: Certificate | null) => void
}

/** What `CertificateDialog` asks at this moment. */
export const question = shallowRef<Question | null>(null)

export async function certificateFor(usage: Usage): Promise<Certificate> {
  const agent = useAgent()
  const store = useSession()
  const { agent_port: port } = await store.loadAbout()
  const words = currentWords().agent
  if (!(await agent.connect(port))) throw new AgentError('agent.absent', words.absent)
  const { official, organ } = store.session ?? { official: { name: '' }, organ: { name: '' } }
  const holder = { official: official.name, organ: organ.name, key: store.keyCertificate }
  const fitting = candidates(await agent.certificates(usage), usage, holder)
  const [only] = fitting
  if (!only) throw new AgentError('agent.no_certificate', usage === 'seal' ? words.noSeal(organ.name) : words.noSigning)
  return fitting.length === 1 ? only : choose(fitting)
}

async function choose(certificates: Certificate[]): Promise<Certificate> {
  const chosen = await new Promise<Certificate | null>((answer) => (question.value = { certificates, answer }))
  question.value = null
  if (!chosen) throw new AgentError('agent.cancelled', currentWords().agent.cancelled)
  return chosen
}
