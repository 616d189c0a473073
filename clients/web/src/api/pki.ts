/** The shapes of the certificate register: devices, requests, certificates. */
import type { Ability } from './types'

export type Profile = 'sign-in' | 'signing' | 'seal'
export type RequestKind = 'first' | 'renewal' | 'rekey' | 'replacement'
export type RequestState = 'pending' | 'refused' | 'approved' | 'issued' | 'installed'
export type CertificateState = 'good' | 'suspended' | 'revoked'
export type DeviceVerb = 'registered' | 'handed_over' | 'returned' | 'unlocked' | 'lost' | 'retired'
export type Light = 'none' | 'yellow' | 'orange' | 'red' | 'out'

export interface Holder {
  id: string
  is_organ: boolean
  code: string
  name: string
  organ: string
  unit: string
}

export interface DeviceRow {
  id: string
  label: string
  kind: 'token' | 'software'
  state: DeviceVerb
  holder: Holder | null
  registered_at: string
}

export interface CertificateRow {
  serial: string
  profile: Profile
  holder: Holder | null
  device: string
  not_before: string
  not_after: string
  state: CertificateState
  reason: string | null
  revoked_at: string | null
  light: Light
}

export interface Device extends DeviceRow {
  entries: { verb: DeviceVerb; note: string; by: string; at: string }[]
  certificates: CertificateRow[]
  abilities: Ability[]
}

export interface ChainLink {
  subject: string
  issuer: string
  serial: string
  not_before: string
  not_after: string
  fingerprint: string
}

export interface CertificateDetail extends CertificateRow {
  subject: string
  fingerprint: string
  key: string
  purposes: string[]
  chain: ChainLink[]
  certificate: string
  chain_certificates: string[]
  abilities: Ability[]
}

export interface RequestRow {
  id: string
  profile: Profile
  kind: RequestKind
  holder: Holder | null
  device: string
  state: RequestState
  requested_by: string
  approved_by: string
  at: string
  decided_at: string | null
  refusal: string | null
  serial: string | null
}

export interface CertificateRequest extends RequestRow {
  token_id: string | null
  replaces: string | null
  differences: { name: string; asked: string; given: string; same: boolean }[]
  certificate: string | null
  chain: string[]
  abilities: Ability[]
}

export interface RevocationList {
  issuer: string
  number: number
  entries: number
  this_update: string
  next_update: string
}

export interface Overview {
  requests: Partial<Record<RequestState, number>>
  lights: Partial<Record<Light, number>>
  certificates: Partial<Record<CertificateState, number>>
  devices: Partial<Record<DeviceVerb, number>>
  lists: RevocationList[]
  signer: boolean
  abilities: Ability[]
}

/** Whose a code for first keys is, and what was issued under it. */
export interface Enrolment {
  code: string
  name: string
  organ: string
  unit: string
  roles: string[]
  expires_at: string
  keys: { profile: Profile; serial: string; certificate: string; chain: string[] }[]
}

/** How far an official's keys have come, from the one that is furthest behind. */
export type Stage = 'no_device' | 'no_keys' | 'pending' | 'issued' | 'written' | 'handed_over'

export interface RollKey {
  profile: Profile
  stage: Stage
  request_id: string | null
  request_state: RequestState | null
  not_after: string | null
  light: Light
}

export interface RollRow {
  official_id: string
  code: string
  name: string
  unit: string
  stage: Stage
  device_id: string | null
  device: string
  device_state: DeviceVerb | null
  keys: RollKey[]
}

/** The people of an organ with their keys. */
export interface Roll {
  organ: { id: string; name: string }
  items: RollRow[]
  abilities: Ability[]
}

export type Outcome = 'ready' | 'done' | 'empty' | 'wrong'

/** A row of a filled sheet; `entry` is what is sent to have it entered. */
export interface SheetRow {
  row: number
  code: string
  name: string
  label: string
  outcome: Outcome
  reason: { code: string; title: string } | null
  entry: { official_id: string; label: string; kind: string; keys: { profile: Profile; csr: string }[] } | null
}
