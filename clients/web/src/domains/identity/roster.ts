/** The week of a roster: its days by the reader's clock, which is the office's, and the duties that touch each. */
import type { Duty } from '@/api/directory'

const two = (n: number) => String(n).padStart(2, '0')

/** `2026-12-01` */
export function dayOf(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

/** Monday to Sunday around a day. */
export function weekOf(day: string): string[] {
  const at = new Date(`${day}T00:00`)
  const monday = at.getDate() - ((at.getDay() + 6) % 7)
  return [0, 1, 2, 3, 4, 5, 6].map((more) => dayOf(new Date(at.getFullYear(), at.getMonth(), monday + more)))
}

export function moved(day: string, by: number): string {
  const at = new Date(`${day}T00:00`)
  return dayOf(new Date(at.getFullYear(), at.getMonth(), at.getDate() + by))
}

/** The duties that touch a day; one over midnight stands on both. */
export function dutiesOn(duties: Duty[], day: string): Duty[] {
  const from = new Date(`${day}T00:00`)
  const until = new Date(`${moved(day, 1)}T00:00`)
  return duties.filter((duty) => new Date(duty.starts_at) < until && new Date(duty.ends_at) > from)
}

/** A moment as the form's field holds it, and back. */
export function toField(moment: string): string {
  const at = new Date(moment)
  return `${dayOf(at)}T${two(at.getHours())}:${two(at.getMinutes())}`
}

export function fromField(text: string): string {
  return new Date(text).toISOString()
}
