/** Moments, days and sizes as officials read them. */
const two = (n: number) => String(n).padStart(2, '0')

/** `2026-03-05 14:30` in the reader's own time zone; empty for none. */
export function dateTime(moment: string | null | undefined): string {
  return moment ? `${date(moment)} ${time(new Date(moment))}` : ''
}

export function date(moment: string): string {
  const at = new Date(moment)
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
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
