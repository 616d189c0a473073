import { describe, expect, it } from 'vitest'

import { monthsOf } from './months'
import { readNotice } from './notice'

const NOTICE_2026 = `各省、自治区、直辖市人民政府，国务院各部委、各直属机构：
　　经国务院批准，现将2026年元旦、春节、清明节、劳动节、端午节、中秋节和国庆节放假调休日期的具体安排通知如下。
　　一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。
　　二、春节：2月15日（农历腊月二十八、周日）至23日（农历正月初七、周一）放假调休，共9天。2月14日（周六）、2月28日（周六）上班。
　　三、清明节：4月4日（周六）至6日（周一）放假，共3天。
　　四、劳动节：5月1日（周五）至5日（周二）放假调休，共5天。5月9日（周六）上班。
　　五、端午节：6月19日（周五）至21日（周日）放假，共3天。
　　六、中秋节：9月25日（周五）至27日（周日）放假，共3天。
　　七、国庆节：10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。
　　节假日期间，各地区、各部门要妥善安排好值班和安全、保卫、疫情防控等工作。`

describe('reading a notice', () => {
  it('finds every day that the notice of 2026 names, and nothing in the words around them', () => {
    const { days, unread } = readNotice(NOTICE_2026, 2026)
    expect(unread).toEqual([])
    const off = days.filter((day) => day.is_off_day)
    expect(off).toHaveLength(3 + 9 + 3 + 5 + 3 + 3 + 7)
    expect(off[0]).toEqual({ date: '2026-01-01', name: '元旦', is_off_day: true })
    expect(days.filter((day) => !day.is_off_day).map(({ date, name }) => `${date} ${name}`)).toEqual([
      '2026-01-04 元旦', '2026-02-14 春节', '2026-02-28 春节', '2026-05-09 劳动节', '2026-09-20 国庆节', '2026-10-10 国庆节',
    ])
  })

  it('reads a single day, a range over two months, and two holidays in one', () => {
    const text = '一、元旦：1月1日（周三）放假1天，不调休。\n二、春节：1月28日（周二）至2月4日（周二）放假调休，共8天。\n六、国庆节、中秋节：10月1日至8日放假调休，共8天。'
    const dates = readNotice(text, 2025).days.map(({ date }) => date)
    expect(dates.slice(0, 3)).toEqual(['2025-01-01', '2025-01-28', '2025-01-29'])
    expect(dates).toHaveLength(1 + 8 + 8)
    expect(readNotice(text, 2025).days.at(-1)?.name).toBe('国庆节、中秋节')
  })

  it('reads days of the year before, when they are said with it', () => {
    const { days } = readNotice('元旦：2022年12月31日至2023年1月2日放假调休，共3天。', 2023)
    expect(days.map(({ date }) => date)).toEqual(['2022-12-31', '2023-01-01', '2023-01-02'])
  })

  it('reads JSON with a day an entry, and says what it could not read', () => {
    const json = '{"year":2026,"days":[{"name":"元旦","date":"2026-01-04","isOffDay":false},{"name":"元旦","date":"2026-01-01","isOffDay":true}]}'
    expect(readNotice(json, 2026).days.map(({ date, is_off_day }) => [date, is_off_day])).toEqual([['2026-01-01', true], ['2026-01-04', false]])
    expect(readNotice('{"days": [', 2026).unread).toHaveLength(1)
    expect(readNotice('[{"date": "soon", "name": "元旦"}]', 2026)).toEqual({ days: [], unread: ['[{"date": "soon", "name": "元旦"}]'] })
    expect(readNotice('春节2月5日起放假', 2027).unread).toEqual(['春节2月5日起放假'])
  })
})

describe('the picture of a year', () => {
  it('lays the days of each month out by weeks that begin on Monday', () => {
    const days = Array.from({ length: 365 }, (_, n) => ({
      on: new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10), kind: 'worked' as const, name: '',
    }))
    const months = monthsOf(days)
    expect(months.map(({ month }) => month)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(months[0]?.weeks[0]?.map((day) => day?.on.slice(8) ?? '')).toEqual(['', '', '', '01', '02', '03', '04'])
    expect(months[1]?.weeks).toHaveLength(5)
    expect(months.flatMap(({ weeks }) => weeks.flat()).filter(Boolean)).toHaveLength(365)
  })
})
