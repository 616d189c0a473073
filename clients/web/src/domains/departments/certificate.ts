/** Reading a chosen certificate file: PEM as it is, DER put into PEM; what stands in it the server says. */
export type FileFault = 'unreadable' | 'isKey'

const SIZE_LIMIT = 12 * 1024
const LINE = 64

/** The file as PEM, or why it is none that may leave this computer. */
export function pemOf(bytes: Uint8Array): { pem: string } | { fault: FileFault } {
  if (bytes.length > SIZE_LIMIT) return { fault: 'unreadable' }
  const text = new TextDecoder('utf-8').decode(bytes)
  if (text.includes('PRIVATE KEY-----')) return { fault: 'isKey' }
  const found = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(text)
  if (found) return { pem: found[0] }
  const body = btoa(String.fromCharCode(...bytes))
  const lines = body.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? []
  return { pem: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----'].join('\n') }
}

/** A fingerprint as it is read out over the telephone: in groups of four. */
export function spoken(digest: string): string {
  return digest.toUpperCase().replace(/(.{4})(?=.)/g, '$1 ')
}
