/** Signing an act: the server says what is to be signed, the key agent signs it, the act takes the signature along. */
import { useAgent, type Usage } from '@/agent/agent'
import { api } from '@/api/client'
import type { Act, SignatureRequest, SignedAct } from '@/api/types'

import { certificateFor } from './certificates'

/** `path` is that of the subject, `more` what the request says besides the act. */
export async function signedAct(
  path: string, act: Act, usage: Usage, more: Record<string, unknown> = {},
): Promise<SignedAct> {
  const { id, certificate, chain } = await certificateFor(usage)
  const asked = await api.post<SignatureRequest>(`${path}/signatures`, { ...act, certificate, chain, ...more })
  const { signature } = await useAgent().sign(id, asked.request)
  return { ...act, signature: { request_id: asked.request_id, value: signature } }
}
