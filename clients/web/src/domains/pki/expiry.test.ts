import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import type { CertificateRow } from '@/api/pki'
import { zh } from '@/words/zh'

import { countWithin, daysLeft, lived, warnings } from './expiry'

const NOW = new Date('2026-03-05T10:00:00')
const at = (day: string) => new Date(`${day}`).toISOString()
const certificate = (profile: string, until: string, state = 'good') =>
  ({ profile, not_after: at(until), state }) as CertificateRow

beforeEach(() => setActivePinia(createPinia()))

describe('the days that are left', () => {
  it('count as the lights of the server do: seven until the eighth day before the end is over', () => {
    expect(daysLeft(at('2026-03-12T10:00:00'), NOW)).toBe(7)
    expect(daysLeft(at('2026-03-12T10:00:01'), NOW)).toBe(8)
  })
  it('are one for tomorrow, none today, and less than none afterwards', () => {
    expect(daysLeft(at('2026-03-06T01:00:00'), NOW)).toBe(1)
    expect(daysLeft(at('2026-03-05T23:00:00'), NOW)).toBe(0)
    expect(daysLeft(at('2026-03-05T10:00:00'), NOW)).toBe(-1)
  })
})

describe('what runs out', () => {
  it('within sixty days has in it what does within seven, and what is over', () => {
    const lights = { out: 1, red: 2, orange: 4, yellow: 8 }
    expect([7, 30, 60].map((days) => countWithin(days, lights))).toEqual([3, 7, 15])
    expect(countWithin(60, {})).toBe(0)
  })
  it('has lived between nothing and all of its time', () => {
    expect(lived(at('2026-03-05T00:00:00'), at('2026-03-06T00:00:00'), new Date('2026-03-05T06:00:00'))).toBe(25)
    expect(lived(at('2026-03-06T00:00:00'), at('2026-03-07T00:00:00'), NOW)).toBe(0)
    expect(lived(at('2026-03-01T00:00:00'), at('2026-03-02T00:00:00'), NOW)).toBe(100)
  })
})

describe('what holders are told', () => {
  it('names together what ends on one day, and first what ends first', () => {
    const mine = [
      certificate('signing', '2026-04-20T10:00:00'),
      certificate('sign-in', '2026-03-08T09:00:00'),
      certificate('signing', '2026-03-08T11:00:00'),
    ]
    expect(warnings(zh, mine, NOW)).toEqual([
      { text: '您的登录、签名证书还剩3天到期（2026年3月8日），请尽快联系系统管理员办理续期。', isUrgent: true },
      { text: '您的签名证书还剩46天到期（2026年4月20日），请尽快联系系统管理员办理续期。', isUrgent: false },
    ])
  })
  it('says so when it is today or over, and nothing of what is suspended', () => {
    const mine = [
      certificate('sign-in', '2026-03-05T20:00:00'),
      certificate('signing', '2026-03-01T20:00:00'),
      certificate('signing', '2026-03-07T20:00:00', 'suspended'),
    ]
    const told = warnings(zh, mine, NOW).map(({ text }) => text)
    expect(told).toEqual([zh.pki.mine.out('签名', '2026年3月1日'), zh.pki.mine.today('登录')])
  })
})
