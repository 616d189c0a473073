import { describe, expect, it } from 'vitest'

import type { Certificate } from './agent'
import { candidates, sameSerial, subjectOf } from './subject'

function certificate(id: string, token: string, subject: string): Certificate {
  return { id, token, label: id, subject, issuer: '', serial: id, not_after: '', certificate: '', chain: [] }
}

const ZHANG = certificate('1', 'k1', 'CN=张伟,OU=秘书处,O=江州市人民政府办公室,C=CN')
const NAMESAKE = certificate('2', 'k2', 'CN=张伟,O=江州市财政局,C=CN')
const SEAL = certificate('3', 'k3', 'CN=江州市人民政府办公室,C=CN')

describe('subjectOf', () => {
  it('reads name, unit and organ', () => {
    expect(subjectOf(ZHANG)).toEqual({ name: '张伟', unit: '秘书处', organ: '江州市人民政府办公室' })
  })
  it('keeps an escaped comma inside its value', () => {
    expect(subjectOf({ subject: 'CN=Zhang\\, Wei,O=Office' }).name).toBe('Zhang, Wei')
  })
})

describe('sameSerial', () => {
  it('ignores case, colons and leading zeros', () => {
    expect(sameSerial('0A:1b', 'a1b')).toBe(true)
    expect(sameSerial('a1b', 'a1c')).toBe(false)
  })
})

describe('candidates', () => {
  const holder = { official: '张伟', organ: '江州市人民政府办公室', key: null }
  it('tells an official from a namesake by the subject of the certificate that opened the session', () => {
    expect(candidates([ZHANG, NAMESAKE], 'signing', { ...holder, key: NAMESAKE })).toEqual([NAMESAKE])
  })
  it('prefers the device that opened the session', () => {
    const other = { ...ZHANG, id: '5', token: 'k5' }
    expect(candidates([ZHANG, other], 'signing', { ...holder, key: other })).toEqual([other])
  })
  it('never offers another official, even on the same device', () => {
    const other = certificate('6', 'k1', 'CN=李敏,O=江州市人民政府办公室,C=CN')
    expect(candidates([ZHANG, other], 'signing', { ...holder, key: ZHANG })).toEqual([ZHANG])
    expect(candidates([other], 'signing', { ...holder, key: ZHANG })).toEqual([])
  })
  it('offers every namesake when that key is gone', () => {
    expect(candidates([ZHANG, NAMESAKE, SEAL], 'signing', holder)).toEqual([ZHANG, NAMESAKE])
  })
  it('takes only the seal of the own organ', () => {
    expect(candidates([SEAL, certificate('4', 'k4', 'CN=江州市财政局')], 'seal', holder)).toEqual([SEAL])
  })
})
