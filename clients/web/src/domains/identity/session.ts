/** Who is signed in. A session begins with a signature of the key and ends with the key, the clock or the user. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

import { useAgent, type Certificate } from '@/agent/agent'
import { sameSerial } from '@/agent/subject'
import { api, setCsrf, whenSignedOut } from '@/api/client'
import { Problem } from '@/api/problem'
import type { About, Challenge, Session } from '@/api/types'
import { useLive } from '@/live/live'
import { currentWords } from '@/words'

const KEY_REMOVED = 'identity.key_removed'
const STALE_CHALLENGE = 'identity.stale_challenge'
const AGENT_RETRY_MS = 5000
/** A token takes a moment to show after it was plugged in; one not there after so many looks has been pulled. */
const LOOKS = 3

export const useSession = defineStore('session', () => {
  const agent = useAgent()
  const live = useLive()
  const about = ref<About | null>(null)
  const session = ref<Session | null>(null)
  const endReason = ref('')
  const keyCertificate = ref<Certificate | null>(null)
  let onEnd: () => void = () => undefined
  let wasAsked = false
  let missed = 0

  async function loadAbout(): Promise<About> {
    return (about.value ??= await api.get<About>('/api/about'))
  }

  /** Take up the session that the cookie stands for, if there still is one; asked once per page load. */
  async function restore(): Promise<boolean> {
    if (wasAsked) return false
    try {
      begin(await api.get<Session>('/api/session'))
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error
    }
    wasAsked = true
    return session.value !== null
  }

  function begin(opened: Session): void {
    session.value = opened
    endReason.value = ''
    missed = 0
    setCsrf(opened.csrf)
    live.start()
    void watchKey()
  }

  async function signIn(certificate: Certificate): Promise<void> {
    try {
      begin(await answerChallenge(certificate))
    } catch (error) {
      // Typing a PIN can take longer than a challenge lives; the agent then signs a fresh one.
      if (!(error instanceof Problem) || error.code !== STALE_CHALLENGE) throw error
      begin(await answerChallenge(certificate))
    }
  }

  async function answerChallenge(certificate: Certificate): Promise<Session> {
    const challenge = await api.post<Challenge>('/api/session/challenge')
    setCsrf(challenge.csrf)
    const { signature } = await agent.authenticate(certificate.id, challenge.nonce)
    const answer = { certificate: certificate.certificate, chain: certificate.chain, nonce: challenge.nonce, signature }
    return api.post<Session>('/api/session', answer)
  }

  /** Have the agent tell when the key of this session is pulled out. */
  async function watchKey(): Promise<void> {
    const { agent_port: port } = await loadAbout()
    if (!(await agent.connect(port))) {
      setTimeout(() => session.value && watchKey(), AGENT_RETRY_MS)
      return
    }
    const serial = session.value?.certificate_serial ?? ''
    const found = (await agent.certificates('sign-in')).find((one) => sameSerial(one.serial, serial))
    keyCertificate.value = found ?? null
    if (found) {
      missed = 0
      await agent.watch(found.id)
    } else if ((missed += 1) < LOOKS) setTimeout(() => session.value && watchKey(), AGENT_RETRY_MS)
    else if (session.value) await signOut(KEY_REMOVED, currentWords().signIn.keyRemoved)
  }

  /** Forget the session on this side and show why it ended. */
  function end(reason = ''): void {
    if (!session.value) return
    session.value = null
    keyCertificate.value = null
    endReason.value = reason
    live.stop()
    onEnd()
  }

  async function signOut(code?: string, title = ''): Promise<void> {
    await api.delete('/api/session', { reason: code }).catch(() => undefined)
    end(title)
  }

  /** Read the session anew: the counts change, and the server hears that somebody is here. */
  async function touch(): Promise<void> {
    if (session.value) session.value = await api.get<Session>('/api/session')
  }

  agent.whenKeyRemoved((id) => {
    const isOurs = !id || id === keyCertificate.value?.id
    if (session.value && isOurs) void signOut(KEY_REMOVED, currentWords().signIn.keyRemoved)
  })
  agent.whenGone(() => session.value && void watchKey())
  whenSignedOut((problem) => end(problem.title))
  live.listen(({ kind, payload }) => {
    if (kind === 'session.ended') end(String(payload.title ?? ''))
  })

  return {
    about, session, endReason, keyCertificate, loadAbout, restore, signIn, signOut, touch,
    whenEnded: (tell: () => void) => (onEnd = tell),
  }
})
