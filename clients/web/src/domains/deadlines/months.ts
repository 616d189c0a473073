/** A year's days, laid out as a wall calendar has them. */
import type { CalendarDay } from '@/api/calendar'

export interface Month {
  month: number
  /** Weeks from Monday to Sunday; null where another month's days stand. */
  weeks: (CalendarDay | null)[][]
}

export function monthsOf(days: CalendarDay[]): Month[] {
  const months: Month[] = []
  for (const day of days) {
    const month = Number(day.on.slice(5, 7))
    const weekday = (new Date(`${day.on}T00:00Z`).getUTCDay() + 6) % 7
    if (months.at(-1)?.month !== month) months.push({ month, weeks: [] })
    const { weeks } = months.at(-1) as Month
    if (weekday === 0 || !weeks.length) weeks.push(Array.from({ length: 7 }, () => null))
    const week = weeks.at(-1)
    if (week) week[weekday] = day
  }
  return months
}
