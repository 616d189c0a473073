/** One holder's key on its way: what is to be made, what it replaces, and how far it has come. */
import { newKey } from '@/api/client'
import type { CertificateRequest, CertificateRow, DeviceRow, Holder, Profile, RequestKind, RequestRow } from '@/api/pki'
import type { Organ } from '@/api/types'

export type Stage = 'none' | 'kept' | CertificateRequest['state']

/** Whom a certificate request names, as the key agent takes it. */
export interface RequestSubject {
  common: string
  organ?: string
  unit?: string
  number?: string
}

/** A certificate request whose key is in its device, but of which the server has not heard yet. */
export interface Kept {
  csr: string
  idempotency: string
}

export const KINDS: RequestKind[] = ['first', 'renewal', 'rekey', 'replacement']
/** The agent takes no longer names; what is left out of a request is not compared. */
const LONGEST_NAME = 64
const UNUSABLE = ['lost', 'retired']

export function profilesFor(holder: Pick<Holder, 'is_organ'>): Profile[] {
  return holder.is_organ ? ['seal'] : ['sign-in', 'signing']
}

export function usableDevices(devices: DeviceRow[], holder: Pick<Holder, 'id'>): DeviceRow[] {
  return devices.filter((device) => device.holder?.id === holder.id && !UNUSABLE.includes(device.state))
}

/**
 * The certificates of one use that a new one can replace, the likeliest first: those that are not revoked, and of those
 * the newest. What is renewed keeps its key, so it must be on the device and still good for something.
 */
export function replaceable(
  all: CertificateRow[], profile: Profile, kind: RequestKind, device: string,
): CertificateRow[] {
  if (kind === 'first') return []
  const own = all.filter((one) => one.profile === profile)
  const fitting = kind === 'renewal' ? own.filter((one) => one.state !== 'revoked' && one.device === device) : own
  const rank = (one: CertificateRow) => Number(one.state === 'revoked')
  return [...fitting].sort((a, b) => rank(a) - rank(b) || b.not_before.localeCompare(a.not_before))
}

/** The uses for which the holder has a good certificate. */
export function hasAlready(all: CertificateRow[], holder: Pick<Holder, 'is_organ'>): Profile[] {
  return profilesFor(holder).filter((profile) => all.some((one) => one.profile === profile && one.state === 'good'))
}

/** The newest request for this use, kind and device; rows come with the newest first. */
export function newestRequest(
  rows: RequestRow[], wanted: { profile: Profile; kind: RequestKind; device: string },
): RequestRow | undefined {
  return rows.find(
    ({ profile, kind, device }) => profile === wanted.profile && kind === wanted.kind && device === wanted.device,
  )
}

export function stageOf(request: CertificateRequest | undefined, kept: Kept | null): Stage {
  const isOver = !request || request.state === 'refused'
  if (isOver && kept) return 'kept'
  return request?.state ?? 'none'
}

/** What a request says of its holder: the words of the directory, where organs have a full name, too. */
export function subjectFor(holder: Holder, organs: Organ[]): RequestSubject {
  const short = (name: string | undefined) => (name && name.length <= LONGEST_NAME ? name : undefined)
  const found = organs.find((organ) => organ.short_name === holder.organ || organ.name === holder.organ)
  if (holder.is_organ) return { common: holder.name, organ: short(holder.name) }
  return { common: holder.name, organ: short(found?.name), unit: short(holder.unit), number: short(holder.code) }
}

// What is generated and not sent yet survives a reload: its private key waits in the device.
function place(device: string, profile: Profile, kind: RequestKind): string {
  return `oa-csr ${device} ${profile} ${kind}`
}

export function keep(device: string, profile: Profile, kind: RequestKind, csr: string): Kept {
  const kept = { csr, idempotency: newKey() }
  localStorage.setItem(place(device, profile, kind), JSON.stringify(kept))
  return kept
}

export function keptFor(device: string, profile: Profile, kind: RequestKind): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(place(device, profile, kind)) ?? 'null') as Kept | null
  } catch {
    return null
  }
}

export function forget(device: string, profile: Profile, kind: RequestKind): void {
  localStorage.removeItem(place(device, profile, kind))
}
