/** The shapes of what administrators watch over: the log, sessions, departments' systems, seals, the condition. */
import type { CertificateRow } from './pki'
import type { Ability, Named, Page } from './types'

export interface AuditRow {
  id: string
  at: string
  verb: string
  title: string
  actor: string
  organ: string
  address: string | null
  certificate: string | null
  subject_type: string
  subject: string
  refused: boolean
  facts: Record<string, unknown>
}

export interface AuditRecord extends AuditRow {
  digest: string
  leaf: number | null
}

export interface AuditVocabulary {
  areas: Record<string, string>
  verbs: Record<string, string>
}

export interface AuditDay {
  day: string
  hours: { hour: number; counts: Record<string, number> }[]
  refused: number
  size: number
}

export interface AuditProof {
  leaf: string
  index: number
  size: number
  path: string[]
  root: string
  at: string
  signature: string
}

export interface Heads {
  leaves: number
  size: number | null
  root: string | null
  at: string | null
  copies: { name: string; size: number | null; at: string | null; behind: number; problem: string | null }[]
}

export interface SessionRow {
  id: string
  official: Named
  code: string
  organ: string
  unit: string
  address: string | null
  certificate: string
  opened_at: string
  seen_at: string
  own: boolean
}

export interface AblePage<T> extends Page<T> {
  abilities: Ability[]
}

export type SystemState = 'pending' | 'active' | 'suspended' | 'refused'

export interface SystemRow {
  id: string
  code: string
  name: string
  organ: string
  unit: string
  official: Named
  certificate_sha256: string
  certificate_until: string
  scopes: string[]
  purpose: string
  per_minute: number
  state: SystemState
  registered_by: string
  approved_by: string
  registered_at: string
  abilities: Ability[]
}

export interface SystemPage extends AblePage<SystemRow> {
  counts: Record<string, number>
  scopes: Record<string, string>
}

export interface SystemCertificate {
  subject: string
  issuer: string
  serial: string
  key: string
  not_before: string
  not_after: string
  sha256: string
}

export interface Came {
  at: string
  address: string | null
  reason: string | null
}

export interface SystemDetail extends SystemRow {
  unit_id: string
  organ_id: string
  certificate: SystemCertificate
  changes: { name: string; before: string; after: string }[]
  decided: string
  admitted: Came | null
  refused: Came | null
  quota: { limit: number; remaining: number }
  scope_names: Record<string, string>
}

export interface Feed {
  last: number
  items: { sequence: number; kind: string; at: string; state: 'taken' | 'retried' | 'waiting' | 'kept' }[]
  keys: { public: string; sha256: string }[]
  abilities: Ability[]
}

export interface Webhook {
  id: string
  url: string
  addresses: string[]
  state: 'pending' | 'active' | 'disabled'
  delivered: number
  waiting: number
  attempts: number
  next_try_at: string | null
  last_answer: string
  abilities: Ability[]
}

export type SealState = 'in_use' | 'withdrawn'

export interface SealRow {
  id: string
  organ: Named
  name: string
  state: SealState
  diameter_mm: number
  keepers: string[]
  certificate: CertificateRow | null
  uses: number
  registered_at: string
}

export interface SealPage extends AblePage<SealRow> {
  counts: Record<string, number>
}

export interface CertificateUse {
  id: string
  at: string
  kind: 'sign_in' | 'signature' | 'seal' | 'receipt'
  act: string
  by: string
  organ: string
  address: string | null
  digest: string | null
  document: string | null
}

export interface Condition {
  checks: { name: string; ready: boolean; ms: number; problem: string | null }[]
  clock_seconds: number | null
  clock_wrong: boolean
  heads: Heads
  head_late: boolean
  webhooks: {
    client: string
    name: string
    attempts: number
    last_answer: string
    next_try_at: string | null
    stopped: boolean
  }[]
  release_checked: boolean
  scanner: { name: string; ready: boolean; ms: number; problem: string | null } | null
  files_held: number
}
