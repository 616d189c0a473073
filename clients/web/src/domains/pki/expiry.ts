/** How long certificates still last, in days as people count them, and what is said of it. */
import type { CertificateRow, Overview } from '@/api/pki'
import { date } from '@/ui/format'
import { term, type Words } from '@/words'

const DAY_MS = 86_400_000
/** When the lights of the server turn on. */
export const WITHIN_DAYS = [7, 30, 60]

/** 0 on the very day, -1 when it is over; a day that has begun counts. */
export function daysLeft(until: string, now = new Date()): number {
  const end = new Date(until)
  if (end <= now) return -1
  return end.toDateString() === now.toDateString() ? 0 : Math.ceil((end.getTime() - now.getTime()) / DAY_MS)
}

export function daysWord(words: Words, until: string, now = new Date()): string {
  const days = daysLeft(until, now)
  return days < 0 ? words.pki.expired : words.pki.daysLeft(days)
}

/** How many run out within so many days, with those that have: as many as the list has that is narrowed so. */
export function countWithin(days: number, { out = 0, red = 0, orange = 0, yellow = 0 }: Overview['lights']): number {
  const steps = [red, orange, yellow].slice(0, WITHIN_DAYS.indexOf(days) + 1)
  return steps.reduce((sum, count) => sum + count, out)
}

/** How much of a certificate's time has passed, in percent. */
export function lived(from: string, until: string, now = new Date()): number {
  const [start, end] = [new Date(from).getTime(), new Date(until).getTime()]
  return Math.min(Math.max(Math.round(((now.getTime() - start) / (end - start)) * 100), 0), 100)
}

export interface Warning {
  text: string
  isUrgent: boolean
}

/** What holders are told: of certificates that end on the same day in one sentence, and first of the first to end. */
export function warnings(words: Words, mine: CertificateRow[], now = new Date()): Warning[] {
  const byDay = new Map<string, CertificateRow[]>()
  for (const row of mine.filter(({ state }) => state === 'good')) {
    byDay.set(date(row.not_after), [...(byDay.get(date(row.not_after)) ?? []), row])
  }
  const groups = [...byDay].map(([day, rows]) => ({ day, rows, days: daysLeft(rows[0]?.not_after ?? '', now) }))
  return groups.sort((a, b) => a.days - b.days).map(({ day, rows, days }) => {
    const profiles = rows.map(({ profile }) => term(words.pki.profiles, profile)).join(words.app.listComma)
    return { text: sentence(words, profiles, days, day), isUrgent: days <= (WITHIN_DAYS[0] ?? 0) }
  })
}

function sentence({ pki: { mine } }: Words, profiles: string, days: number, day: string): string {
  if (days < 0) return mine.out(profiles, day)
  return days === 0 ? mine.today(profiles) : mine.soon(profiles, days, day)
}
