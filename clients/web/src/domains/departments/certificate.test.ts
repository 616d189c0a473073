import { describe, expect, it } from 'vitest'

import { pemOf, spoken } from './certificate'

const bytes = (text: string) => new TextEncoder().encode(text)
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'

describe('a chosen certificate file', () => {
  it('gives its first certificate, whatever stands around it', () => {
    expect(pemOf(bytes(`Bag Attributes\r\n${PEM}\n${PEM}`))).toEqual({ pem: PEM })
  })
  it('of bytes is put into PEM', () => {
    const found = pemOf(new Uint8Array(60).fill(0x30))
    expect(found).toEqual({ pem: `-----BEGIN CERTIFICATE-----\n${'MDAw'.repeat(16)}\n${'MDAw'.repeat(4)}\n-----END CERTIFICATE-----` })
  })
  it('with a private key in it never leaves the computer, even beside the certificate', () => {
    expect(pemOf(bytes(`${PEM}\n-----BEGIN EC PRIVATE KEY-----\n`))).toEqual({ fault: 'isKey' })
    expect(pemOf(bytes('-----BEGIN PRIVATE KEY-----'))).toEqual({ fault: 'isKey' })
  })
  it('that is too large is none', () => expect(pemOf(new Uint8Array(20_000))).toEqual({ fault: 'unreadable' }))
})

describe('a fingerprint', () => {
  it('is read out in groups of four', () => expect(spoken('0a1b2c3d4e')).toBe('0A1B 2C3D 4E'))
})
