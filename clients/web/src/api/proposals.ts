/** The shapes of 议案、建议、提案: sittings, cases, what organs were given, and what proposers say of the replies. */
import type { ClockShown } from './calendar'
import type { Ability, HistoryEntry, Named } from './types'

export interface Member {
  id: string
  code: string
  name: string
  delegation: string
  party: string
  employer: string
  duty: string
  /** They sign for themselves. */
  has_account: boolean
}

export interface Sitting {
  id: string
  body: 'congress' | 'consultative'
  body_title: string
  title: string
  opens_on: string
  closes_on: string
  secretariat: Named
  dispatching: Named
  oversight: Named
  review_levels: number
  kinds: string[]
  counts: Record<string, number>
  /** The reader as a member of it. */
  own: Member | null
  abilities: Ability[]
  etag: string
}

export interface SittingList {
  items: Sitting[]
  abilities: Ability[]
}

export interface SittingLimit {
  limit: string
  title: string
  unit: string
  quantity: number
  source: string
}

export interface ImportColumn {
  column: string
  title: string
  means: string
  outcome: 'imported' | 'kept_out' | 'unknown'
}

export interface ImportProblem {
  sheet: string
  row: number
  column: string
  code: string
  message: string
}

export interface ImportRow {
  row: number
  outcome: string
  outcome_title: string
  number: string
  title: string
  lead: string
  state_title: string
  reason: string
  changes: { column: string; old: string; new: string }[]
}

/** What bringing in a file would do, row by row. */
export interface ImportReport {
  digest: string
  is_whole: boolean
  counts: Record<string, number>
  columns: ImportColumn[]
  rows: ImportRow[]
  rows_left_off: number
  problems: ImportProblem[]
  problems_found: number
  remarks: { row: number; words: string }[]
  unknown_units: { name: string; rows: number; suggestions: Named[] }[]
  new_members: string[]
}

export interface ImportBatch {
  id: string
  file_name: string
  added: number
  changed: number
  unchanged: number
  kept: number
  entered_by: string
  at: string
}

export interface ProposalElements {
  kind: string
  form: string
  title: string
  occasion: string
  category: string
  subcategory: string
  situation: string
  analysis: string
  request: string
  is_public: boolean
  wished_organs: string
}

/** How much of one kind waits for the reader, and which list shows it. */
export interface Waiting {
  code: string
  title: string
  list: 'proposals' | 'assignments'
  count: number
}

export interface ProposalRow {
  id: string
  kind: string
  kind_title: string
  state: string
  state_title: string
  case_no: string
  title: string
  category: string
  lead: string
  proposers: number
  handlers: string[]
  is_key: boolean
  is_suspended: boolean
  submitted_on: string | null
  wished_organs: string
  clock: ClockShown | null
}

export interface AssignmentRow {
  id: string
  proposal_id: string
  case_no: string
  title: string
  lead: string
  organ: Named
  role: string
  role_title: string
  state: string
  state_title: string
  dispatched_on: string
  is_key: boolean
  is_suspended: boolean
  clock: ClockShown | null
}

export interface Proposer {
  id: string
  member: Member
  /** Given to those who have to speak with the proposer, and to themselves; empty for everybody else. */
  phone: string
  address: string
  is_own: boolean
  is_lead: boolean
  consent: string
  consent_title: string
  /** Consented to the text as it is now. */
  stands_behind: boolean
  has_withdrawn: boolean
}

export interface ProposalReview {
  version_no: number
  level: number
  reviewer: string
  opinion: string
  at: string
}

export interface Contact {
  proposer: string
  round: number
  on: string
  form: string
  form_title: string
  people: string
  summary: string
}

export interface Point {
  id: string
  text: string
  result: string | null
  measure: string
  owner: string
  planned_on: string | null
  reviews: { before: string; after: string; explanation: string; at: string }[]
}

export interface Reply {
  document_id: string
  organ: string
  doc_no: string
  round: number
  result: string
  result_title: string
  publicity: string
  publicity_title: string
  publicity_ground: string
  state: string
  state_title: string
  check_reason: string
  at: string
  may_read: boolean
}

export interface Assignment {
  id: string
  organ: Named
  role: string
  role_title: string
  state: string
  state_title: string
  is_final: boolean
  returns: number
  dispatched_on: string
  received_at: string | null
  suggestion: string
  return_reason: string
  suggested_organ: Named | null
  decision: string
  opinion: string
  opinion_at: string | null
  liaison: string
  liaison_phone: string
  extension_months: number | null
  extension_reason: string
  clocks: ClockShown[]
  contacts: Contact[]
  points: Point[]
  replies: Reply[]
  abilities: Ability[]
}

export interface Judgement {
  contact: string
  attitude: string
  result: string
  text: string
}

export interface Feedback {
  id: string
  proposer: string
  round: number
  state: string
  state_title: string
  contact: string | null
  attitude: string | null
  result: string | null
  result_title: string
  text: string
  has_code: boolean
  waits_for_confirmation: boolean
  at: string | null
}

export interface Proposal {
  id: string
  sitting: Named
  elements: ProposalElements
  kind_title: string
  form_title: string
  state: string
  state_title: string
  case_no: string
  version_no: number
  text_sha256: string
  proposers: Proposer[]
  entered_by: string
  submitted_on: string | null
  reviews: ProposalReview[]
  review_levels: number
  rejection: string
  forwarding: string
  reason: string
  converted_from: string
  merged_into: Named | null
  merged_here: Named[]
  /** Replies to what it was merged into, which answer it too. */
  merged_replies: Reply[]
  key_leader: Named | null
  is_suspended: boolean
  round: number
  assignments: Assignment[]
  feedback: Feedback[]
  clocks: ClockShown[]
  history: HistoryEntry[]
  abilities: Ability[]
  may_judge: boolean
  may_hand_over_codes: boolean
  etag: string
}

/** A case that is public, as a row of the list. */
export interface PublishedRow {
  id: string
  sitting: string
  kind: string
  kind_title: string
  case_no: string
  title: string
  category: string
  lead: string
  proposers: number
  handlers: string[]
  submitted_on: string | null
  is_answered: boolean
  /** The numbers of the replies that are public. */
  replies: string[]
}

export interface PublishedReply {
  document_id: string
  organ: string
  doc_no: string
  title: string
  result: string
  result_title: string
  publicity: string
  publicity_title: string
  round: number
  replied_at: string
}

export interface PublishedCase {
  id: string
  sitting: string
  kind: string
  kind_title: string
  case_no: string
  title: string
  category: string
  subcategory: string
  submitted_on: string | null
  proposers: { name: string; delegation: string }[]
  situation: string
  analysis: string
  request: string
  handlers: { organ: string; role: string; role_title: string }[]
  merged_into: Named | null
  is_answered: boolean
  replies: PublishedReply[]
}

export interface Handler {
  organ_id: string
  role: string
}

export interface OrganLoad {
  organ: Named
  count: number
}

/** A case that is like another, and the phrases that both have. */
export interface Alike {
  id: string
  sitting: Named
  kind: string
  case_no: string
  title: string
  state: string
  state_title: string
  /** From 0 to 1. */
  likeness: number
  shared: string[]
  organs: string[]
  may_open: boolean
}

/** An organ that led what is alike, how much of it at each sitting, and what it answers for that the text is about. */
export interface SuggestedOrgan {
  organ: Named
  share: number
  led: { sitting: Named; count: number }[]
  remits: { text: string; shared: string[] }[]
}

export interface AlikeFound {
  items: Alike[]
  suggested: SuggestedOrgan[]
}

/** What somebody with a code is asked to judge. */
export interface AskedByCode {
  title: string
  case_no: string
  proposer: string
  round: number
}
