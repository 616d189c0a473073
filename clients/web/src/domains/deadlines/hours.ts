/** Office hours as people write them: `08:30-12:00，14:00-17:30`, and how long a day of them is. */
import type { Season } from '@/api/calendar'

const SPAN = /^(\d{1,2})[:：](\d{2})\s*[-–—~至]\s*(\d{1,2})[:：](\d{2})$/u
const DAY = /^(\d{1,2})[-月./](\d{1,2})日?$/u
const NEW_YEAR = '01-01'

function two(text: string | undefined): string {
  return (text ?? '').padStart(2, '0')
}

/** The spans that a text names; null when a part of it is none. */
export function readSpans(text: string): [string, string][] | null {
  const found = text.split(/[,，、;；]/u).map((part) => part.trim()).filter(Boolean).map((part) => SPAN.exec(part))
  if (!found.length || found.some((one) => one === null)) return null
  return found.map((one) => [`${two(one?.[1])}:${one?.[2]}`, `${two(one?.[3])}:${one?.[4]}`])
}

/** A day of every year, MM-DD; null when the text is none. */
export function readDay(text: string): string | null {
  const found = DAY.exec(text.trim())
  return found ? `${two(found[1])}-${two(found[2])}` : null
}

export function spansText(spans: [string, string][]): string {
  return spans.map((span) => span.join('–')).join('，')
}

export interface ScheduleForm {
  hours: string
  hasSummer: boolean
  summer: string
  summerFrom: string
  summerTo: string
}

/** The seasons that a form means; null while something in it cannot be read. */
export function seasonsOf(form: ScheduleForm): Season[] | null {
  const usual = readSpans(form.hours)
  if (!form.hasSummer) return usual && [{ begins: NEW_YEAR, spans: usual }]
  const [summer, begins, ends] = [readSpans(form.summer), readDay(form.summerFrom), readDay(form.summerTo)]
  return usual && summer && begins && ends ? [{ begins, spans: summer }, { begins: ends, spans: usual }] : null
}
