/** What is like a case: asking for it, and how it is shown why. */
import { api } from '@/api/client'
import type { Alike, AlikeFound, Proposal, ProposalElements, SuggestedOrgan } from '@/api/proposals'
import type { Named, Organ } from '@/api/types'
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

/** Why an organ is suggested: what it led, sitting by sitting (`own` is that of the case), and what it answers for. */
function reasonsFor(words: Words, { led, remits }: SuggestedOrgan, own: string): string[] {
  const { alike } = words.proposals
  const parts = led.map(({ sitting, count }) => alike.led(sitting.id === own ? alike.thisSitting : sitting.name, count))
  const answered = remits.map(({ text, shared }) => alike.remit(text, shared.join(words.app.listComma)))
  return [...(parts.length ? [alike.why(parts.join(words.app.listComma))] : []), ...answered]
}

/** The organs that a text names, in its order; a name within a longer one is not meant. */
export function namedIn(text: string, organs: Organ[]): Organ[] {
  const namesOf = (organ: Organ) => [organ.name, organ.short_name].filter(Boolean)
  const names = organs.flatMap((organ) => namesOf(organ).map((name) => ({ name, organ })))
  const found: { at: number; organ: Organ }[] = []
  let rest = text
  for (const { name, organ } of names.sort((a, b) => b.name.length - a.name.length)) {
    const at = rest.indexOf(name)
    if (at < 0) continue
    rest = rest.slice(0, at) + ' '.repeat(name.length) + rest.slice(at + name.length)
    if (!found.some((one) => one.organ.id === organ.id)) found.push({ at, organ })
  }
  return found.sort((a, b) => a.at - b.at).map((one) => one.organ)
}

/** An organ that could lead a case, and why. */
export interface Hint {
  organ: Named
  why: string
}

/** Those that the proposers wish for first, then those that are suggested; who is both has both reasons. */
export function hintsOf(words: Words, wished: Organ[], suggested: SuggestedOrgan[], own: string): Hint[] {
  const why = new Map(suggested.map((one) => [one.organ.id, reasonsFor(words, one, own)]))
  const { wishedFor, reasons } = words.proposals.alike
  const first = wished.map(({ id, short_name: short, name }) => (
    { organ: { id, name: short || name }, why: reasons([wishedFor, ...(why.get(id) ?? [])]) }
  ))
  const others = suggested.filter(({ organ }) => !wished.some(({ id }) => id === organ.id))
  return [...first, ...others.map(({ organ }) => ({ organ, why: reasons(why.get(organ.id) ?? []) }))]
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
