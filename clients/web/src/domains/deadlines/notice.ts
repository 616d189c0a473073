/** Reading the State Council's notice of a year, as it is published: its own words, or JSON with a day an entry. */
import type { NamedDay } from '@/api/calendar'

export interface Reading {
  days: NamedDay[]
  /** Lines that name days as off or as worked, and could not be read. */
  unread: string[]
}

const LONGEST = 31
const DAY_MILLISECONDS = 86_400_000
const DAY = String.raw`(?:(\d{4})年)?(?:(\d{1,2})月)?(\d{1,2})日`
const RANGE = new RegExp(`${DAY}至${DAY}`)
const ONE = new RegExp(DAY, 'g')
const HEAD = /^(?:[一二三四五六七八九十]+、)?([^：:，。]{2,12})[：:](.*)$/

/** The days that `text` names for `year`, in their order. */
export function readNotice(text: string, year: number): Reading {
  const json = text.trim()
  return json.startsWith('{') || json.startsWith('[') ? readJson(json) : readWords(text, year)
}

function readJson(text: string): Reading {
  try {
    const found: unknown = JSON.parse(text)
    const listed = Array.isArray(found) ? found : ((found as { days?: unknown }).days ?? [])
    const rows = (listed as Record<string, unknown>[]).map((row) => ({
      date: String(row.date), name: String(row.name), is_off_day: Boolean(row.isOffDay ?? row.is_off_day),
    }))
    const isGood = rows.length > 0 && rows.every(({ date, name }) => /^\d{4}-\d\d-\d\d$/.test(date) && name !== 'undefined')
    return isGood ? { days: sorted(rows), unread: [] } : { days: [], unread: [text.slice(0, 60)] }
  } catch {
    return { days: [], unread: [text.slice(0, 60)] }
  }
}

function readWords(text: string, year: number): Reading {
  const days: NamedDay[] = []
  const unread: string[] = []
  // What stands in brackets says the weekday and the day of the moon, which the date says already.
  for (const line of text.replaceAll(/（[^）]*）|\([^)]*\)/g, '').split(/\r?\n/)) {
    const head = HEAD.exec(line.replaceAll(/\s/g, ''))
    if (!head) {
      if (/\d日.*(放假|上班)/.test(line)) unread.push(line.trim())
      continue
    }
    const [, name = '', rest = ''] = head
    const found = rest.split('。').flatMap((sentence) => readSentence(sentence, name, year))
    if (!found.length) unread.push(line.trim())
    days.push(...found)
  }
  return { days: sorted(days), unread }
}

function readSentence(sentence: string, name: string, year: number): NamedDay[] {
  if (sentence.includes('上班')) {
    return [...sentence.matchAll(ONE)].map((one) => ({ date: dayOf(one, year), name, is_off_day: false }))
  }
  if (!sentence.includes('放假')) return []
  const range = RANGE.exec(sentence)
  const one = [...sentence.matchAll(ONE)][0]
  if (!range && !one) return []
  const first = dayOf(range ?? one ?? [], year)
  const last = range ? dayOf(range.slice(3), year, first) : first
  return everyDay(first, last).map((date) => ({ date, name, is_off_day: true }))
}

/** The day of a match of `DAY`: its year and month are those that were said before, unless it says others. */
function dayOf(match: ArrayLike<string | undefined>, year: number, before = ''): string {
  const [, saidYear, saidMonth, day = ''] = Array.from(match)
  const month = saidMonth ?? before.slice(5, 7)
  const inYear = saidYear ?? (before && Number(month) >= Number(before.slice(5, 7)) ? before.slice(0, 4) : String(year))
  return `${inYear}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
}

function everyDay(first: string, last: string): string[] {
  const found: string[] = []
  for (let at = Date.parse(first); at <= Date.parse(last) && found.length < LONGEST; at += DAY_MILLISECONDS) {
    found.push(new Date(at).toISOString().slice(0, 10))
  }
  return found
}

function sorted(days: NamedDay[]): NamedDay[] {
  return [...days].sort((a, b) => a.date.localeCompare(b.date))
}
