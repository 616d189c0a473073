/** The condition of the installation in lines: each says what it is about and, if something is wrong, what to do. */
import type { Condition } from '@/api/admin'
import { term, type Words } from '@/words'

export interface Line {
  name: string
  text: string
  isBad: boolean
  to?: string
}

export function linesOf(words: Words, found: Condition): Line[] {
  const own = [scanner, clock, log, release].map((line) => line(words, found))
  return [...checks(words, found), ...own, ...copies(words, found), ...webhooks(words, found)]
}

function checks({ admin: { condition } }: Words, found: Condition): Line[] {
  return found.checks.map(({ name, ready, problem }) => ({
    name: term(condition.checks, name),
    text: ready ? condition.ready : (problem ?? condition.away),
    isBad: !ready,
  }))
}

function scanner({ admin: { condition } }: Words, { scanner: found, files_held: held }: Condition): Line {
  const name = term(condition.checks, 'scanner')
  if (!found) return { name, text: held ? condition.scannerGone(held) : condition.scannerNone, isBad: held > 0 }
  if (found.ready) return { name, text: condition.scannerReady(held), isBad: false }
  return { name, text: condition.scannerAway(found.problem ?? condition.away, held), isBad: true }
}

function release({ admin: { condition } }: Words, found: Condition): Line {
  const text = found.release_checked ? condition.releaseChecked : condition.releaseUnchecked
  return { name: condition.release, text, isBad: false }
}

function clock({ admin: { condition } }: Words, { clock_seconds: seconds, clock_wrong: isBad }: Condition): Line {
  const say = isBad ? condition.clockWrong : condition.clockRight
  return { name: condition.clock, text: seconds === null ? condition.clockUnknown : say(seconds), isBad }
}

function log({ admin: { condition } }: Words, { head_late: isBad }: Condition): Line {
  return { name: condition.log, text: isBad ? condition.logLate : condition.logRight, isBad }
}

/** A copy is made a minute after its head: one that is one head behind is on its way. */
const ON_ITS_WAY = 2

function copies({ admin: { condition, audit } }: Words, { heads }: Condition): Line[] {
  const bad = heads.copies.filter((place) => place.problem || place.behind > ON_ITS_WAY)
  if (!bad.length) return [{ name: audit.heads, text: condition.copiesRight(heads.copies.length), isBad: false }]
  return bad.map((place) => ({
    name: audit.heads, text: place.problem ? `${place.name}　${place.problem}` : condition.copyBehind(place.name, place.behind), isBad: true,
  }))
}

function webhooks({ admin: { condition } }: Words, { webhooks: found }: Condition): Line[] {
  if (!found.length) return [{ name: condition.webhooks, text: condition.webhooksRight, isBad: false }]
  return found.map((one) => ({
    name: condition.webhooks,
    text: one.stopped
      ? condition.webhookStopped(one.name, one.last_answer)
      : condition.webhookFails(one.name, one.attempts, one.last_answer),
    isBad: true,
    to: `/admin/systems/${one.client}`,
  }))
}
