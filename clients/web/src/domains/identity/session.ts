/** Who is signed in. A session begins with a signature of the key and ends with the key, the clock or the user. */
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { useAgent, type Certificate } from '@/agent/agent'
import { sameSerial } from '@/agent/subject'
import { api, setCsrf, whenSignedOut } from '@/api/client'
import { Problem } from '@/api/problem'
import type { About, Challenge, Session } from '@/api/types'
import { useLive } from '@/live/live'
import { term, useWords } from '@/words'

const KEY_REMOVED = 'identity.key_removed'
const STALE_CHALLENGE = 'identity.stale_challenge'
const AGENT_RETRY_MS = 5000
/** A token takes a moment to show after it was plugged in; one not there after so many looks has been pulled. */
const LOOKS = 3

export const useSession = defineStore('session', () => {
  const agent = useAgent()
  const live = useLive()
  const words = useWords()
  const about = ref<About | null>(null)
  const session = ref<Session | null>(null)
  const ended = ref({ code: '', title: '' })
  const endReason = computed(() => term(words.value.signIn.endings, ended.value.code, ended.value.title))
  const keyCertificate = ref<Certificate | null>(null)
  let onEnd: () => void = () => undefined
  let wasAsked = false
  let missed = 0
  let looking: ReturnType<typeof setTimeout> | undefined

  async function loadAbout(isChanged = false): Promise<About> {
    if (isChanged) about.value = null
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
    ended.value = { code: '', title: '' }
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

  /** Have the agent tell when the key of this session is pulled out, looking again for as long as it cannot. */
  async function watchKey(): Promise<void> {
    const isWatched = await lookForKey().catch(() => false)
    clearTimeout(looking)
    if (!session.value || isWatched) return
    if (missed >= LOOKS) await signOut(KEY_REMOVED)
    else looking = setTimeout(() => void watchKey(), AGENT_RETRY_MS)
  }

  /** Whether the agent has the key of this session and tells when it goes; only a connected agent can lack it. */
  async function lookForKey(): Promise<boolean> {
    const { agent_port: port } = await loadAbout()
    if (!(await agent.connect(port))) return false
    const all = await agent.certificates('sign-in')
    const found = all.find((one) => sameSerial(one.serial, session.value?.certificate_serial ?? ''))
    keyCertificate.value = found ?? null
    missed = found ? 0 : missed + 1
    if (found) await agent.watch(found.id)
    return found !== undefined
  }

  /** Forget the session on this side and show why it ended: in our words for the code, else in those of the server. */
  function end(code = '', title = ''): void {
    if (!session.value) return
    session.value = null
    keyCertificate.value = null
    ended.value = { code, title }
    live.stop()
    onEnd()
  }

  async function signOut(code = ''): Promise<void> {
    await api.delete('/api/session', { reason: code }).catch(() => undefined)
    end(code)
  }

  /** Read the session anew: the counts change, and the server hears that somebody is here. */
  async function touch(): Promise<void> {
    if (session.value) session.value = await api.get<Session>('/api/session')
  }

  agent.whenKeyRemoved((id) => {
    const isOurs = !id || id === keyCertificate.value?.id
    if (session.value && isOurs) void signOut(KEY_REMOVED)
  })
  agent.whenGone(() => session.value && void watchKey())
  whenSignedOut(({ code, title }) => end(code, title))
  live.listen(({ kind, payload }) => {
    if (kind === 'session.ended') end(String(payload.code ?? ''), String(payload.title ?? ''))
  })

  return {
    about, session, endReason, keyCertificate, loadAbout, restore, signIn, signOut, touch, end,
    whenEnded: (tell: () => void) => (onEnd = tell),
  }
})
