/** What is like a case: asking for it, and how it is shown why. */
import { api } from '@/api/client'
import type { Alike, AlikeFound, Proposal, ProposalElements, SuggestedOrgan } from '@/api/proposals'
import type { Words } from '@/words'

import { GROUPS } from './vocabulary'

const TITLE_LEAST = 4
const MERGEABLE = [...(GROUPS.reviewing ?? []), ...(GROUPS.filed ?? [])]
const UNSETTLED = [...(GROUPS.submitted ?? []), ...MERGEABLE]

type Compared = Partial<Pick<ProposalElements, 'title' | 'situation' | 'analysis' | 'request'>> & { proposal_id: string | null }

/** What is being written, as the server compares it; null while it says too little to be like anything. */
export function comparable(elements: ProposalElements, id: string | null): Compared | null {
  const { title, situation, analysis, request } = elements
  const says = title.trim().length >= TITLE_LEAST || (situation + analysis + request).trim().length > 0
  return says ? { title, situation, analysis, request, proposal_id: id } : null
}

/** Whether what is alike matters still: somebody is to decide on the case, and it is not the proposers who read it. */
export function isUnsettled(found: Proposal): boolean {
  return UNSETTLED.includes(found.state) && !found.proposers.some((one) => one.is_own)
}

/** Those that a case can be merged into. */
export function mergeable(found: Alike[], { sitting, elements }: Pick<Proposal, 'sitting' | 'elements'>): Alike[] {
  const isPeer = (one: Alike) => one.sitting.id === sitting.id && one.kind === elements.kind
  return found.filter((one) => one.may_open && isPeer(one) && MERGEABLE.includes(one.state))
}

export function percent(likeness: number): number {
  return Math.round(likeness * 100)
}

export interface Piece {
  text: string
  isShared: boolean
}

/** A text in pieces, those marked that stand in both; a phrase within a longer one is marked with that. */
export function marked(text: string, phrases: string[]): Piece[] {
  const found = [...phrases].sort((a, b) => b.length - a.length).find((one) => one && text.includes(one))
  if (!found) return text ? [{ text, isShared: false }] : []
  const at = text.indexOf(found)
  const [before, after] = [text.slice(0, at), text.slice(at + found.length)]
  return [...marked(before, phrases), { text: found, isShared: true }, ...marked(after, phrases)]
}

/** Why an organ is suggested: what it led, sitting by sitting; `own` is the sitting of the case. */
export function whyOf(words: Words, { led }: SuggestedOrgan, own: string): string {
  const { alike } = words.proposals
  const parts = led.map(({ sitting, count }) => alike.led(sitting.id === own ? alike.thisSitting : sitting.name, count))
  return alike.why(parts.join(words.app.listComma))
}

export function findAlike(body: Compared, signal?: AbortSignal): Promise<AlikeFound> {
  return api.post<AlikeFound>('/api/proposals/alike', body, { signal })
}

let line: Promise<unknown> = Promise.resolve()

/** A page that asks for many cases asks for one after another, so that whoever works beside it does not notice. */
export function inTurn<T>(run: () => Promise<T>): Promise<T> {
  const mine = line.then(run)
  line = mine.catch(() => undefined)
  return mine
}
