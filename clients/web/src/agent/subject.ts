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
  /** The key device that the official signed in with, if it is still there. */
  token: string | undefined
}

/**
 * The certificates that fit an act: an official signs with an own key, first of all with one on the device that opened
 * the session; a seal belongs to the organ. Several left means that the official must choose; what does not fit is never offered.
 */
export function candidates(all: Certificate[], usage: Usage, holder: Holder): Certificate[] {
  if (usage === 'seal') return all.filter((one) => [subjectOf(one).organ, subjectOf(one).name].includes(holder.organ))
  const own = all.filter((one) => subjectOf(one).name === holder.official)
  const onToken = own.filter((one) => one.token === holder.token)
  return onToken.length ? onToken : own
}
