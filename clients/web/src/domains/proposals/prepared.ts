/** What is prepared to be dispatched: which organs each case is to be given to, in which roles. */
import type { Handler } from '@/api/proposals'

export const ROLES = ['lead', 'cohandler', 'separate', 'reference']

export type Readiness = 'empty' | 'nobody' | 'one' | 'both' | 'ready'

/** Whether somebody answers: one lead organ, or two or more separately. */
export function readinessOf(handlers: Handler[]): Readiness {
  const leads = handlers.filter((one) => one.role === 'lead').length
  const separate = handlers.filter((one) => one.role === 'separate').length
  if (!handlers.length) return 'empty'
  if (leads && separate) return 'both'
  if (leads === 1 || separate >= 2) return 'ready'
  return separate ? 'one' : 'nobody'
}

/** The organ in this role and in no other; of leads there is one. */
export function withHandler(handlers: Handler[], added: Handler): Handler[] {
  const rest = handlers.filter((one) => one.organ_id !== added.organ_id && !(added.role === 'lead' && one.role === 'lead'))
  return sorted([...rest, added])
}

export function withoutOrgan(handlers: Handler[], organ: string): Handler[] {
  return handlers.filter((one) => one.organ_id !== organ)
}

/** A second press on the role that an organ has takes it away. */
export function toggled(handlers: Handler[], pressed: Handler): Handler[] {
  const isSame = handlers.some((one) => one.organ_id === pressed.organ_id && one.role === pressed.role)
  return isSame ? withoutOrgan(handlers, pressed.organ_id) : withHandler(handlers, pressed)
}

function sorted(handlers: Handler[]): Handler[] {
  return [...handlers].sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role))
}

export type Prepared = Record<string, Handler[]>

/** Several cases given to one organ. */
export function given(prepared: Prepared, cases: string[], added: Handler): Prepared {
  return { ...prepared, ...Object.fromEntries(cases.map((id) => [id, withHandler(prepared[id] ?? [], added)])) }
}

/** How many prepared cases each organ gets. */
export function preparedLoad(prepared: Prepared): Record<string, number> {
  const load: Record<string, number> = {}
  for (const { organ_id: organ } of Object.values(prepared).flat()) load[organ] = (load[organ] ?? 0) + 1
  return load
}

/** What can be sent, as the server takes it. */
export function readyCases(prepared: Prepared): { proposal_id: string; handlers: Handler[] }[] {
  const ready = Object.entries(prepared).filter(([, handlers]) => readinessOf(handlers) === 'ready')
  return ready.map(([id, handlers]) => ({ proposal_id: id, handlers }))
}
