/** The days of a term in words: which of them count, and why others do not; and how near a clock is to its end. */
import type { ClockShown, CountedDay } from '@/api/calendar'
import { term, type Words } from '@/words'

export function countOf(words: Words, day: CountedDay): string {
  const said = words.calendar
  if (day.minutes) return said.hoursCounted(Math.floor(day.minutes / 60), day.minutes % 60)
  return day.number === null ? whyOf(words, day) : said.nth(day.number)
}

function whyOf(words: Words, day: CountedDay): string {
  const said = words.calendar
  if (day.minutes === 0 && day.kind === 'worked') return said.afterHours
  const isOff = day.why === 'off' || day.why === 'moved'
  return isOff ? [term(said.kinds, day.kind), day.name].filter(Boolean).join(' ') : term(said.whys, day.why)
}

/** What stands beside a clock's light, which nobody has to tell by its colour. */
export function lightWord(words: Words, clock: Pick<ClockShown, 'state' | 'left' | 'ground'>): string {
  const said = words.calendar.clock
  const ground = clock.ground && term(said.grounds, clock.ground)
  if (clock.left === null) return said.still(term(said.states, clock.state), ground)
  if (clock.left === 0) return said.today
  return clock.left < 0 ? said.overdue(-clock.left) : said.left(clock.left)
}
