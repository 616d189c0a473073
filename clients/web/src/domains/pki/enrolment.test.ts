import { beforeEach, describe, expect, it } from 'vitest'

import type { CertificateRequest, CertificateRow, DeviceRow, Holder, RequestRow } from '@/api/pki'
import type { Organ } from '@/api/types'

import {
  forget, hasAlready, keep, keptFor, newestRequest, profilesFor, replaceable, stageOf, subjectFor, usableDevices,
} from './enrolment'

const wang: Holder = { id: 'w', is_organ: false, code: 'wang', name: '王建国', organ: '市政府办公室', unit: '综合科' }
const office: Holder = { id: 'o', is_organ: true, code: 'JC001', name: '江城市人民政府办公室', organ: '市政府办公室', unit: '' }
const organs = [{ id: 'o', name: '江城市人民政府办公室', short_name: '市政府办公室' }] as Organ[]

const certificate = (serial: string, facts: Partial<CertificateRow> = {}) =>
  ({ serial, profile: 'signing', state: 'good', device: 'K-1', not_before: '2026-01-01T00:00:00Z', ...facts }) as CertificateRow
const request = (facts: Partial<CertificateRequest>) =>
  ({ id: 'r', profile: 'signing', kind: 'first', device: 'K-1', state: 'pending', replaces: null, ...facts }) as CertificateRequest

describe('who gets what', () => {
  it('people sign in and sign, organs seal', () => {
    expect(profilesFor(wang)).toEqual(['sign-in', 'signing'])
    expect(profilesFor(office)).toEqual(['seal'])
  })
  it('a key is made in a device of the holder that is neither lost nor retired', () => {
    const device = (id: string, state: string, holder: Holder | null = wang) => ({ id, state, holder }) as DeviceRow
    const all = [device('1', 'registered'), device('2', 'lost'), device('3', 'retired'), device('4', 'returned', office),
      device('5', 'handed_over'), device('6', 'registered', null)]
    expect(usableDevices(all, wang).map(({ id }) => id)).toEqual(['1', '5'])
  })
  it('tells which uses the holder has a good certificate for', () => {
    expect(hasAlready([certificate('a'), certificate('b', { profile: 'sign-in', state: 'revoked' })], wang)).toEqual(['signing'])
  })
})

describe('what a new certificate replaces', () => {
  const all = [
    certificate('revoked', { state: 'revoked', not_before: '2026-03-01T00:00:00Z' }),
    certificate('older', { not_before: '2025-01-01T00:00:00Z' }),
    certificate('suspended', { state: 'suspended', device: 'K-2' }),
    certificate('other', { profile: 'sign-in' }),
  ]
  const serials = (kind: 'first' | 'renewal' | 'rekey' | 'replacement') =>
    replaceable(all, 'signing', kind, 'K-1').map(({ serial }) => serial)
  it('is nothing at the first time', () => expect(serials('first')).toEqual([]))
  it('is what is not revoked before what is, and the newest of those', () => {
    expect(serials('replacement')).toEqual(['suspended', 'older', 'revoked'])
    expect(serials('rekey')).toEqual(serials('replacement'))
  })
  it('is on the same device when its key stays', () => expect(serials('renewal')).toEqual(['older']))
})

describe('how far it has come', () => {
  it('the newest request for the use, kind and device counts', () => {
    const rows = [request({ id: '3', device: 'K-2' }), request({ id: '2' }), request({ id: '1' })] as RequestRow[]
    expect(newestRequest(rows, { profile: 'signing', kind: 'first', device: 'K-1' })?.id).toBe('2')
    expect(newestRequest(rows, { profile: 'sign-in', kind: 'first', device: 'K-1' })).toBeUndefined()
  })
  it('a key whose request did not arrive waits to be sent, unless one is under way', () => {
    const kept = { csr: 'pem', idempotency: 'k' }
    expect(stageOf(undefined, null)).toBe('none')
    expect(stageOf(undefined, kept)).toBe('kept')
    expect(stageOf(request({ state: 'refused' }), kept)).toBe('kept')
    expect(stageOf(request({ state: 'refused' }), null)).toBe('refused')
    expect(stageOf(request({ state: 'issued' }), kept)).toBe('issued')
  })
})

describe('what a request says of its holder', () => {
  it('is what the directory says, with the full name of the organ', () => {
    expect(subjectFor(wang, organs)).toEqual({ common: '王建国', organ: '江城市人民政府办公室', unit: '综合科', number: 'wang' })
    expect(subjectFor(office, organs)).toEqual({ common: '江城市人民政府办公室', organ: '江城市人民政府办公室' })
  })
  it('leaves out what it does not know or the agent does not take', () => {
    expect(subjectFor({ ...wang, organ: '不明', unit: '科'.repeat(65) }, organs)).toEqual({ common: '王建国', number: 'wang' })
  })
})

describe('a request that has not arrived', () => {
  beforeEach(() => localStorage.clear())
  it('is kept with one key for sending, until it is forgotten', () => {
    const kept = keep('d', 'signing', 'first', 'pem')
    expect(keptFor('d', 'signing', 'first')).toEqual(kept)
    expect(keptFor('d', 'sign-in', 'first')).toBeNull()
    expect(keptFor('d', 'signing', 'rekey')).toBeNull()
    forget('d', 'signing', 'first')
    expect(keptFor('d', 'signing', 'first')).toBeNull()
  })
  it('that cannot be read is none', () => {
    localStorage.setItem('oa-csr d signing first', '{')
    expect(keptFor('d', 'signing', 'first')).toBeNull()
  })
})
