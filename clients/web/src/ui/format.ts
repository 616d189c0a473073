/** Moments, days and sizes as officials read them. */
import { currentWords } from '@/words'

const two = (n: number) => String(n).padStart(2, '0')

/** `2026年3月5日 14:30` in the reader's own time zone; empty for none. */
export function dateTime(moment: string | null | undefined): string {
  return moment ? `${date(moment)} ${time(new Date(moment))}` : ''
}

/** The day of a moment, or a day that came without an hour: that one is the same in every time zone. */
export function date(moment: string): string {
  const at = new Date(moment.length > 'YYYY-MM-DD'.length ? moment : `${moment}T00:00`)
  return currentWords().app.date(at.getFullYear(), at.getMonth() + 1, at.getDate())
}

export function time(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}`
}

const UNITS = ['B', 'KB', 'MB', 'GB']

/** `1.5 MB`; steps of 1024. */
export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`
}

/** How a task stands to its time limit. */
export function dueState(due: string | null, now = new Date()): 'overdue' | 'today' | 'later' {
  if (!due) return 'later'
  const at = new Date(due)
  if (at < now) return 'overdue'
  return at.toDateString() === now.toDateString() ? 'today' : 'later'
}
