/** Reading a certificate's subject (RFC 4514 text) and choosing the certificate that an act needs. */
import type { Certificate, Usage } from './agent'

export interface Subject {
  name: string
  organ: string
  unit: string
}

/** `CN=张伟,OU=秘书处,O=江州市人民政府办公室,C=CN` in its parts; escaped commas stay inside a value. */
export function subjectOf(certificate: Pick<Certificate, 'subject'>): Subject {
  const parts: Record<string, string> = {}
  for (const pair of certificate.subject.match(/(?:\\.|[^,])+/g) ?? []) {
    const [name = '', ...value] = pair.split('=')
    parts[name.trim().toUpperCase()] ??= value.join('=').trim().replace(/\\(.)/g, '$1')
  }
  return { name: parts.CN ?? certificate.subject, organ: parts.O ?? '', unit: parts.OU ?? '' }
}

/** Serial numbers are compared as numbers are: letters, colons and leading zeros do not matter. */
export function sameSerial(left: string, right: string): boolean {
  const plain = (serial: string) => serial.toLowerCase().replace(/[^0-9a-f]/g, '').replace(/^0+/, '')
  return plain(left) === plain(right)
}

interface Holder {
  official: string
  organ: string
  /** The certificate that opened the session, if its key is still there. */
  key: Certificate | null
}

/**
 * The certificates that fit an act: a seal belongs to the organ; an official signs with an own key, told from a
 * namesake's by the whole subject, and first of all with one on the device that opened the session. Several left means
 * that the official must choose; what does not fit is never offered.
 */
export function candidates(all: Certificate[], usage: Usage, { official, organ, key }: Holder): Certificate[] {
  if (usage === 'seal') return all.filter((one) => [subjectOf(one).organ, subjectOf(one).name].includes(organ))
  const own = all.filter((one) => subjectOf(one).name === official)
  const sameHolder = narrowed(own, (one) => one.subject === key?.subject)
  return narrowed(sameHolder, (one) => one.token === key?.token)
}

function narrowed(certificates: Certificate[], fits: (one: Certificate) => boolean): Certificate[] {
  const fitting = certificates.filter(fits)
  return fitting.length ? fitting : certificates
}
