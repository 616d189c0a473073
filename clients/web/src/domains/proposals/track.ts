/** The way of a case as a line of stages: what lies behind it, where it is, what is to come, where it ended early. */
import type { Proposal } from '@/api/proposals'

export type StageState = 'done' | 'current' | 'next' | 'ended'

export interface Stage {
  code: string
  state: StageState
  /** When it was left behind. */
  at: string | null
}

/** Each stage with what the history calls its end. */
const STAGES: [string, string[]][] = [
  ['write', ['proposals.submitted']],
  ['register', ['proposals.registered']],
  ['review', ['proposals.filed', 'proposals.converted']],
  ['dispatch', ['proposals.dispatched']],
  ['accept', ['proposals.assignment_accepted']],
  ['handle', ['proposals.feedback_asked']],
  ['judge', ['proposals.concluded']],
  ['close', ['proposals.concluded']],
]

const CURRENT: Record<string, string> = {
  draft: 'write', cosigning: 'write', returned: 'write', submitted: 'register', registered: 'review', under_review: 'review', filed: 'dispatch',
  dispatched: 'accept', handling: 'handle', rehandling: 'handle', replied: 'judge', tracking: 'close',
}

/** Where a case ends that is not handled on its own. */
function endOf({ state, case_no: number }: Pick<Proposal, 'state' | 'case_no'>): string | undefined {
  if (state === 'rejected') return 'review'
  if (state === 'merged') return 'review'
  return state === 'withdrawn' ? (number ? 'review' : 'write') : undefined
}

export function trackOf(found: Pick<Proposal, 'state' | 'case_no' | 'history'>): Stage[] {
  const end = endOf(found)
  const here = STAGES.findIndex(([code]) => code === (end ?? CURRENT[found.state]))
  const reached = here < 0 ? STAGES.length : here
  return STAGES.map(([code, verbs], index) => {
    if (index < reached) return { code, state: 'done', at: lastOf(found, verbs) }
    return { code, state: index > reached ? 'next' : end ? 'ended' : 'current', at: null }
  })
}

function lastOf({ history }: Pick<Proposal, 'history'>, verbs: string[]): string | null {
  return history.filter((entry) => verbs.includes(entry.verb)).at(-1)?.at ?? null
}
