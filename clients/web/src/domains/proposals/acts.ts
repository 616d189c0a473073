/** What each verb on a case or an assignment asks for, and how that becomes an act for the server. */
import type { Handler } from '@/api/proposals'
import type { Ability, Act } from '@/api/types'

import { readinessOf } from './prepared'

export type Subject = 'case' | 'assignment'

export type AskKind =
  | 'area' | 'text' | 'date' | 'number' | 'choice' | 'radio' | 'ticks' | 'organ' | 'handlers' | 'case' | 'document' | 'points'

export interface Ask {
  key: string
  kind: AskKind
  optional?: boolean
  max?: number
  /** Not asked for while another one holds this value. */
  unless?: [string, string]
  /** Every box has to be ticked, and not only one. */
  all?: boolean
  /** At least so wide is the dialog. */
  wide?: boolean
}

export interface Form {
  signs?: boolean
  isDangerous?: boolean
  /** It keeps something, and its button says so. */
  saves?: boolean
  asks?: Ask[]
}

/** One line of the editor of points. */
export interface PointDraft {
  text: string
  result: string
  measure: string
  owner: string
  planned_on: string
}

export type Value = string | number | string[] | Handler[] | PointDraft[]
export type Filled = Record<string, Value>

const REASON: Ask = { key: 'reason', kind: 'area', max: 1000 }
const OPINION: Ask = { key: 'opinion', kind: 'area', max: 2000 }
const ORGAN: Ask = { key: 'organ_id', kind: 'organ' }

const FORMS: Record<Subject, Record<string, Form>> = {
  case: {
    consent: { signs: true },
    decline: { isDangerous: true },
    record_paper: { saves: true, asks: [{ key: 'members', kind: 'ticks' }] },
    discard: { isDangerous: true },
    withdraw: { isDangerous: true },
    review: { asks: [OPINION] },
    return: { asks: [REASON] },
    file: { asks: [{ key: 'checklist', kind: 'ticks', all: true }] },
    reject: { isDangerous: true, asks: [{ key: 'code', kind: 'choice' }, { key: 'forwarding', kind: 'choice' }, REASON] },
    convert: { asks: [REASON] },
    merge: { asks: [{ key: 'into', kind: 'case' }] },
    unmerge: { asks: [REASON] },
    dispatch: { asks: [{ key: 'handlers', kind: 'handlers', wide: true }] },
    mark_key: { asks: [{ key: 'leader_id', kind: 'choice' }] },
    suspend: { asks: [REASON] },
  },
  assignment: {
    accept: {
      asks: [
        { key: 'liaison', kind: 'text', max: 60, optional: true },
        { key: 'liaison_phone', kind: 'text', max: 40, optional: true },
        { key: 'suggestion', kind: 'area', max: 500, optional: true },
      ],
    },
    return: { asks: [ORGAN, REASON] },
    reassign: { asks: [ORGAN, { ...REASON, optional: true }] },
    refuse_return: { asks: [REASON] },
    arbitrate: { asks: [ORGAN, REASON] },
    succeed: { asks: [ORGAN] },
    give_opinion: { signs: true, asks: [OPINION] },
    record_contact: {
      saves: true,
      asks: [
        { key: 'proposer_id', kind: 'choice' },
        { key: 'on', kind: 'date' },
        { key: 'form', kind: 'radio' },
        { key: 'people', kind: 'text', max: 200, optional: true },
        { key: 'summary', kind: 'area', max: 2000 },
      ],
    },
    set_points: { saves: true, asks: [{ key: 'points', kind: 'points', wide: true }] },
    ask_extension: { asks: [{ key: 'months', kind: 'number', max: 12 }, REASON] },
    grant_extension: { asks: [{ key: 'told', kind: 'area', max: 1000 }] },
    refuse_extension: { asks: [REASON] },
    reply: {
      asks: [
        { key: 'document_id', kind: 'document', wide: true },
        { key: 'result', kind: 'choice' },
        { key: 'publicity', kind: 'radio' },
        { key: 'publicity_ground', kind: 'text', max: 200, unless: ['publicity', 'full'] },
      ],
    },
    send_back: { asks: [REASON] },
    review_point: {
      saves: true,
      asks: [{ key: 'point_id', kind: 'choice' }, { key: 'result', kind: 'choice' }, { key: 'planned_on', kind: 'date', optional: true }, REASON],
    },
  },
}

export function formOf(subject: Subject, verb: string): Form {
  return FORMS[subject][verb] ?? {}
}

/** What the fields hold at first, for those that have nothing better. */
export function emptyOf(kind: AskKind): Value {
  if (kind === 'ticks' || kind === 'handlers' || kind === 'points') return []
  return kind === 'number' ? 1 : ''
}

/** The questions that are asked at this moment. */
export function asked(form: Form, filled: Filled): Ask[] {
  return (form.asks ?? []).filter(({ unless }) => !unless || filled[unless[0]] !== unless[1])
}

/** `choices` tells how many boxes there are to tick. */
export function isComplete(form: Form, filled: Filled, choices: (key: string) => number): boolean {
  return asked(form, filled).every((ask) => ask.optional || isFilled(ask, filled[ask.key], choices(ask.key)))
}

function isFilled({ kind, all }: Ask, value: Value | undefined, choices: number): boolean {
  if (kind === 'handlers') return readinessOf(value as Handler[]) === 'ready'
  if (kind === 'points') return (value as PointDraft[]).length > 0 && (value as PointDraft[]).every((one) => one.text.trim())
  if (Array.isArray(value)) return all ? value.length === choices : value.length > 0
  return typeof value === 'number' ? value > 0 : Boolean(value?.trim())
}

export function actOf(verb: string, form: Form, filled: Filled): Act {
  const act: Act = { verb }
  const parameters: Record<string, unknown> = {}
  for (const ask of asked(form, filled)) {
    const said = sent(ask, filled[ask.key])
    if (ask.key === 'reason' || ask.key === 'opinion') act[ask.key] = String(said)
    else parameters[ask.key] = said
  }
  return Object.keys(parameters).length ? { ...act, parameters } : act
}

function sent({ kind }: Ask, value: Value | undefined): unknown {
  if (kind === 'points') return (value as PointDraft[]).map(pointOf)
  if (kind === 'date') return value || null
  return typeof value === 'string' ? value.trim() : value
}

function pointOf({ text, result, measure, owner, planned_on: planned }: PointDraft): Record<string, unknown> {
  const said = { text: text.trim(), measure: measure.trim(), owner: owner.trim() }
  return { ...said, result: result || null, planned_on: planned || null }
}

// What mostly comes next stands first, and what ends a case last.
const FIRST = [
  'submit', 'consent', 'register', 'review', 'file', 'dispatch', 'accept', 'reassign', 'arbitrate', 'grant_extension',
  'give_opinion', 'pass', 'reply',
]
const LAST = ['reject', 'decline', 'discard', 'withdraw']

export function ordered(abilities: Ability[]): Ability[] {
  const place = (verb: string) => (FIRST.includes(verb) ? 0 : LAST.includes(verb) ? 2 : 1)
  return [...abilities].sort((a, b) => place(a.verb) - place(b.verb))
}

const WRONG_STATE = 'proposals.wrong_state'

/** What is worth a greyed button: that a verb belongs to another stage is not. */
export function telling(abilities: Ability[]): Ability[] {
  return abilities.filter((one) => one.allowed || one.reason?.code !== WRONG_STATE)
}
