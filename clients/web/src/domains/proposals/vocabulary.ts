/** Where a case stands, in groups and colours: sixteen states are too many for tabs. */
import type { Tone } from '@/ui/tones'
import { term, type Words } from '@/words'
import { zh } from '@/words/zh'

/** The tabs of the list, each with the states that it shows. */
export const GROUPS: Record<string, string[]> = {
  writing: ['draft', 'cosigning', 'returned'],
  submitted: ['submitted'],
  reviewing: ['registered', 'under_review'],
  filed: ['filed'],
  handling: ['dispatched', 'handling', 'rehandling'],
  replied: ['replied'],
  tracking: ['tracking'],
  closed: ['closed'],
  ended: ['rejected', 'merged', 'withdrawn'],
}

/** The states that a tab asks the server for. */
export function statesOf(group: string): string {
  return GROUPS[group]?.join(',') ?? ''
}

/** How many cases each tab shows, of how many there are in each state. */
export function groupCounts(counts: Record<string, number>[]): Record<string, number> {
  const found = (states: string[]) => states.flatMap((state) => counts.map((one) => one[state] ?? 0))
  const sum = (states: string[]) => found(states).reduce((all, one) => all + one, 0)
  return Object.fromEntries(Object.entries(GROUPS).map(([group, states]) => [group, sum(states)]))
}

const TONES: Record<string, Tone> = {
  returned: 'amber', cosigning: 'amber', submitted: 'amber', registered: 'blue', under_review: 'blue', filed: 'blue', dispatched: 'blue', handling: 'blue',
  replied: 'green', rehandling: 'orange', tracking: 'blue', closed: 'green', rejected: 'red',
  pending: 'amber', return_requested: 'orange', arbitration: 'orange', opinion_given: 'green', reply_ready: 'amber', done: 'green',
  checking: 'amber', passed: 'green', sent_back: 'red',
  asked: 'amber', signed: 'green', coded: 'green', paper: 'green', requested: 'amber',
  satisfied: 'green', mostly: 'blue', unsatisfied: 'red',
}

export function toneOf(code: string): Tone {
  return TONES[code] ?? 'plain'
}

const LETTERS: Record<string, Tone> = { A: 'green', B: 'blue', C: 'amber' }

export function toneOfClass(letter: string | null): Tone {
  return LETTERS[letter ?? ''] ?? 'plain'
}

/** The word for a limit that the server names by its title. */
export function limitWord(words: Words, title: string): string {
  const known = zh.proposals.sittings.limitNames
  const code = Object.keys(known).find((one) => known[one] === title)
  return code ? term(words.proposals.sittings.limitNames, code, title) : title
}
