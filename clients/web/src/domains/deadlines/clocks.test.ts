import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Component, createApp, h } from 'vue'

import type { ClockExplanation, ClockShown, CountedDay } from '@/api/calendar'
import { en } from '@/words/en'
import { zh } from '@/words/zh'

import ClockDays from './ClockDays.vue'
import ClockLight from './ClockLight.vue'
import { countOf, lightWord } from './counted'
import { monthsOf } from './months'

const CLOCK: ClockShown = { id: '1', title: '答复', due: '2026-10-29', light: 'green', left: 12, state: 'running', provisional: false, ground: '' }

function day(on: string, why: CountedDay['why'], number: number | null = null, others: Partial<CountedDay> = {}): CountedDay {
  return { on, kind: 'worked', name: '', number, why, minutes: null, ...others }
}

function drawn(component: Component, props: Record<string, unknown>): HTMLElement {
  const place = document.createElement('div')
  createApp(() => h(component, props)).mount(place)
  return place
}

beforeEach(() => setActivePinia(createPinia()))

describe('the light of a clock', () => {
  it('says in words what its colour shows', () => {
    expect(lightWord(zh, CLOCK)).toBe('剩12个工作日')
    expect(lightWord(zh, { ...CLOCK, left: 0 })).toBe('今天到期')
    expect(lightWord(zh, { ...CLOCK, left: -3 })).toBe('逾期3天')
    expect(lightWord(zh, { ...CLOCK, left: null, state: 'paused', ground: 'correction' })).toBe('已暂停（补正）')
    expect(lightWord(zh, { ...CLOCK, left: null, state: 'stopped' })).toBe('已停止')
    expect(lightWord(en, { ...CLOCK, left: 1 })).toBe('1 working day left')
  })
  it('is a dot with that word, and tells what is due when', () => {
    const light = drawn(ClockLight, { clock: { ...CLOCK, light: 'blue', left: 2, provisional: true } }).querySelector('.clock-light')
    expect(light?.className).toBe('clock-light blue')
    expect(light?.textContent).toBe('剩2个工作日（暂定）')
    expect(light?.getAttribute('title')).toBe('答复 2026年10月29日届满 暂定')
    expect(light?.querySelector('i')?.getAttribute('aria-hidden')).toBe('true')
  })
})

describe('the days of a clock', () => {
  const explanation: ClockExplanation = {
    title: '答复', start: '2026-12-30', unit: 'working_day', quantity: 2, due: '2027-01-05', provisional: true,
    days: [
      day('2026-12-30', 'start'),
      day('2026-12-31', 'counts', 1),
      day('2027-01-01', 'off', null, { kind: 'holiday', name: '元旦' }),
      day('2027-01-02', 'off', null, { kind: 'weekend' }),
      day('2027-01-03', 'off', null, { kind: 'weekend' }),
      day('2027-01-04', 'paused'),
      day('2027-01-05', 'counts', 2, { kind: 'make_up' }),
    ],
    pauses: [{ since: '2027-01-03', until: '2027-01-04', ground: 'third_party' }],
  }
  it('say why each counts or does not', () => {
    expect(explanation.days.map((one) => countOf(zh, one))).toEqual([
      '起算日，不计入', '第1天', '放假 元旦', '周末', '周末', '暂停期间，不计入', '第2天',
    ])
    expect(countOf(zh, day('2026-12-31', 'counts', null, { minutes: 90 }))).toBe('计1小时30分钟')
    expect(countOf(zh, day('2026-12-31', 'off', null, { minutes: 0 }))).toBe('已过上班时间')
  })
  it('stand in the months of both years, with what is not given left out', () => {
    const months = monthsOf(explanation.days)
    expect(months.map(({ year, month, weeks }) => [year, month, weeks.length])).toEqual([[2026, 12, 1], [2027, 1, 2]])
    expect(months[0]?.weeks[0]?.map((one) => one?.on.slice(8) ?? '')).toEqual(['', '', '30', '31', '', '', ''])
  })
  it('are drawn with their numbers, the pauses named above them', () => {
    const place = drawn(ClockDays, { explanation })
    const told = (test: string) => place.querySelector(`[data-test="${test}"]`)
    expect([...place.querySelectorAll('caption')].map((one) => one.textContent)).toEqual(['2026年12月', '2027年1月'])
    expect(told('clock-term')?.textContent).toContain('自2026年12月30日起算，2个工作日')
    expect(told('clock-pause')?.textContent?.trim()).toBe('征求第三方意见：2027年1月3日至2027年1月4日暂停计时')
    expect(told('2026-12-30')?.querySelector('small')?.textContent).toBe('起')
    expect(told('2026-12-31')?.querySelector('small')?.textContent).toBe('1')
    expect(told('2027-01-01')?.className).toContain('holiday')
    expect(told('2027-01-04')?.className).toContain('paused')
    expect(told('2027-01-05')?.className).toContain('due')
    expect(told('2027-01-05')?.getAttribute('title')).toBe('2027年1月5日 第2天 调休上班')
  })
  it('say of what still is paused since when it is', () => {
    const paused = { ...explanation, due: null, pauses: [{ since: '2027-01-03', until: null, ground: 'suspended' }] }
    const place = drawn(ClockDays, { explanation: paused })
    expect(place.querySelector('[data-test="clock-pause"]')?.textContent?.trim()).toBe('中止办理：2027年1月3日起暂停计时')
    expect(place.querySelector('strong')).toBeNull()
  })
})
