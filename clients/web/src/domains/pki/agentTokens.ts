/** The devices that the key agent sees, and writing to them what was issued. */
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'

import { AgentError, useAgent, type Token } from '@/agent/agent'
import { api } from '@/api/client'
import type { CertificateRequest, Device } from '@/api/pki'
import { useSession } from '@/domains/identity/session'
import { titleOf } from '@/ui/load'
import { currentWords } from '@/words'

export interface Tokens {
  all: ShallowRef<Token[]>
  isRead: Ref<boolean>
  problem: Ref<string>
  read: () => Promise<void>
}

export function useTokens(): Tokens {
  const all = shallowRef<Token[]>([])
  const isRead = ref(false)
  const problem = ref('')

  async function read(): Promise<void> {
    problem.value = ''
    try {
      await connected()
      all.value = await useAgent().tokens()
      isRead.value = true
    } catch (error) {
      problem.value = titleOf(error)
    }
  }

  return { all, isRead, problem, read }
}

async function connected(): Promise<void> {
  const { agent_port: port } = await useSession().loadAbout()
  if (!(await useAgent().connect(port))) throw new AgentError('agent.absent', currentWords().agent.absent)
}

/** The device that is meant: the one that bears the number in the register, or else the only one. */
export function likeliest(tokens: Token[], label: string): Token | undefined {
  const bearing = tokens.find((token) => [token.label, token.id].includes(label))
  return bearing ?? (tokens.length === 1 ? tokens[0] : undefined)
}

/** Give a device a new PIN, then enter that it has one. */
export async function unlock(device: Device, token: string, note: string): Promise<Device> {
  await connected()
  await useAgent().unlock(token)
  return api.post<Device>(`/api/pki/devices/${device.id}/acts`, { verb: 'unlocked', note })
}

/**
 * Write an issued certificate beside its key, then enter that it is there. Done once more it changes nothing, so what
 * fails in between is simply done again.
 */
export async function write(request: CertificateRequest, token: string): Promise<CertificateRequest> {
  await connected()
  await useAgent().writeCertificate(token, request.certificate ?? '', request.chain)
  return api.post<CertificateRequest>(`/api/pki/requests/${request.id}/acts`, { verb: 'install' })
}
