/** What can be chosen in the forms of a case or an assignment. */
import type { Assignment, Proposal } from '@/api/proposals'
import type { Words } from '@/words'

export interface Option {
  value: string
  label: string
}

export function optionsOf(table: Record<string, string>): Option[] {
  return Object.entries(table).map(([value, label]) => ({ value, label }))
}

/** Those who sign on paper and do not stand behind the text as it is, or for a withdrawal have not asked for it yet. */
export function onPaper(found: Proposal, verb: string): Option[] {
  const isOpen = (one: Proposal['proposers'][number]) => (verb === 'withdraw' ? !one.has_withdrawn : !one.stands_behind)
  return found.proposers
    .filter((one) => !one.member.has_account && isOpen(one))
    .map(({ member }) => ({ value: member.id, label: [member.name, member.delegation].filter(Boolean).join('　') }))
}

/** Everybody who is answered, of the case and of what was merged into it; who was not spoken with this time first. */
export function toSpeakWith(found: Proposal, merged: Proposal[], assignment: Assignment): Option[] {
  const spoken = new Set(assignment.contacts.filter((one) => one.round === found.round).map((one) => one.proposer))
  const proposers = [found, ...merged].flatMap((one) => one.proposers)
  const all = proposers.map(({ id, member }) => ({ value: id, label: member.name }))
  return [...all.filter((one) => !spoken.has(one.label)), ...all.filter((one) => spoken.has(one.label))]
}

/** The points that are followed up. */
export function followed(words: Words, assignment: Assignment): Option[] {
  const open = assignment.points.filter((one) => one.result === 'B' || one.result === 'C')
  const { result } = words.proposals.assignment
  return open.map((one) => ({ value: one.id, label: `${result(one.result ?? '')}　${one.text}` }))
}
