/** A stretch of days, laid out as a wall calendar has them. */
import type { CalendarDay } from '@/api/calendar'

export interface Month<T extends CalendarDay = CalendarDay> {
  year: number
  month: number
  /** Weeks from Monday to Sunday; null where another month's days stand, or days that were not given. */
  weeks: (T | null)[][]
}

export function monthsOf<T extends CalendarDay>(days: T[]): Month<T>[] {
  const months: Month<T>[] = []
  for (const day of days) {
    const [year, month] = [Number(day.on.slice(0, 4)), Number(day.on.slice(5, 7))]
    const weekday = (new Date(`${day.on}T00:00Z`).getUTCDay() + 6) % 7
    if (months.at(-1)?.month !== month) months.push({ year, month, weeks: [] })
    const { weeks } = months.at(-1) as Month<T>
    if (weekday === 0 || !weeks.length) weeks.push(Array.from({ length: 7 }, () => null))
    const week = weeks.at(-1)
    if (week) week[weekday] = day
  }
  return months
}
