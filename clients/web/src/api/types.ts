/** What the server says and hears: the shapes of the HTTP API. Moments are RFC 3339 strings, ids are UUID strings. */

export interface Word {
  code: string
  title: string
}

export interface Named {
  id: string
  name: string
}

export interface Page<T> {
  items: T[]
  next: string | null
}

export interface Ability {
  verb: string
  allowed: boolean
  reason: Word | null
}

export interface About {
  name: string
  demo: boolean
  version: string
  agent_port: number
  stand_in_fonts: string[]
  classification_ceiling: string
  languages: string[]
}

export interface Challenge {
  nonce: string
  csrf: string
  expires_at: string
}

export interface Session {
  official: Named
  organ: { id: string; code: string; name: string }
  unit: Named
  post: string
  roles: string[]
  csrf: string
  idle_minutes: number
  expires_at: string
  certificate_serial: string
  counts: Record<string, number>
}

export interface Task {
  id: string
  subject_type: 'outgoing' | 'incoming'
  subject_id: string
  step: string
  step_title: string
  title: string
  doc_no: string
  organ_name: string
  urgency: string
  opened_at: string
  due_at: string | null
  done_at: string | null
}

export interface Organ {
  id: string
  code: string
  name: string
  short_name: string
  level: string
  superior_id: string | null
}

export interface Official {
  id: string
  code: string
  name: string
  post: string
  is_principal?: boolean
  roles: string[]
}

export interface OrganDetail extends Organ {
  remits: string[]
  units: { id: string; name: string; officials: Official[] }[]
}

export interface Vocabulary {
  kinds: Word[]
  urgencies: Word[]
  classifications: Word[]
  publicities: Word[]
  refusal_codes: Word[]
  outgoing_states: Word[]
  incoming_states: Word[]
}

export interface Heading {
  type: 'heading'
  level: number
  text: string
}

export interface Paragraph {
  type: 'paragraph'
  text: string
}

export interface Table {
  type: 'table'
  rows: string[][]
  header: boolean
  /** 横排: it lies turned on pages of its own; of a table that does not, nothing is said. */
  landscape?: boolean
}

export type Block = Heading | Paragraph | Table

export interface Body {
  type: 'doc'
  content: Block[]
}

export interface Elements {
  kind: string
  title: string
  urgency: string
  classification: string
  classify_years: number | null
  copy_no: string
  main_recipients: string[]
  copies_to: string[]
  signer_id: string | null
  note: string
  publicity: string
  printing_organ: string
  main_recipients_as: string
  copies_to_as: string
}

export interface Draft {
  elements: Elements
  body: Body
}

export interface Attachment {
  id: string
  name: string
  size: number
  offset: number
  state: string
  sha256: string | null
  malware: string
}

export interface Upload extends Attachment {
  chunk: number
}

export interface Opinion {
  id: string
  step_title: string
  actor_name: string
  organ_name: string
  decision: string
  text: string
  at: string
  signature_ok?: boolean
  superseded?: boolean
}

export interface Step {
  step: string
  title: string
  state: string
  officials: string[]
  acted_by: string | null
  acted_at: string | null
}

export interface HistoryEntry {
  at: string
  actor_name: string
  verb: string
  title: string
}

export interface DocumentRow {
  id: string
  state: string
  state_title: string
  kind: string
  title: string
  doc_no: string
  urgency: string
  drafter: string
  created_at: string
  updated_at: string
}

/** What the pages of outgoing and incoming documents have in common. */
interface Handled {
  id: string
  state: string
  state_title: string
  doc_no: string
  attachments: Attachment[]
  opinions: Opinion[]
  route: Step[]
  history: HistoryEntry[]
  abilities: Ability[]
}

export interface OutgoingDocument extends Handled {
  elements: Elements
  body: Body
  doc_date: string | null
  issuer: Named
  unit: Named
  drafter: Named
  signer: Named | null
  main_recipients: Named[]
  copies_to: Named[]
  version_no: number
  pages_sha256: string | null
  frozen_sha256: string | null
  sealed: boolean
  etag: string
}

export interface Refusal {
  code: string
  title: string
  text: string
}

export interface Consignment {
  id: string
  organ: Named
  role: string
  state: string
  state_title: string
  arrived_at: string
  signed_for_at: string | null
  signed_for_by: string | null
  refusal: Refusal | null
  receive_no: string | null
}

export interface ConsignmentList {
  items: Consignment[]
  counts: Record<string, number>
}

export interface IncomingRow {
  id: string
  state: string
  state_title: string
  title: string
  doc_no: string
  kind: string
  urgency: string
  source_organ: string
  role: string
  receive_no: string | null
  arrived_at: string
}

export interface IncomingDocument extends Handled, IncomingRow {
  classification: string
  proposal: string
  leader: Named | null
  unit: Named | null
  result: string
  receipt: { at: string; by: string; sha256: string } | null
  refusal: Refusal | null
}

export interface Imported {
  body: Body
  title: string
  notes: Word[]
}

export interface SignatureRequest {
  request_id: string
  request: string
  expires_at: string
}

export interface Act {
  verb: string
  opinion?: string
  reason?: string
  parameters?: Record<string, unknown>
}

export interface SignedAct extends Act {
  signature?: { request_id: string; value: string }
}

export interface ReportSignature {
  field: string
  kind: string
  signer: string
  organ: string
  signed_at: string | null
  timestamp_at: string | null
  certificate_good: boolean
  covers_whole_file: boolean
  findings: Word[]
}

export interface ReportOpinion {
  actor: string
  organ: string
  decision: string
  text: string
  signed_at: string | null
  ok: boolean
}

export interface Report {
  verdict: string
  known_document: { doc_no: string; title: string; organ: string } | null
  signatures: ReportSignature[]
  opinions: ReportOpinion[]
  findings: Word[]
  sha256: string
}
