/** The facts of a record as people read them. */
import type { AuditRow } from '@/api/admin'
import { dateTime } from '@/ui/format'
import { term, type Words } from '@/words'

export interface Fact {
  name: string
  text: string
  isDigest: boolean
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/
/** The digests of the rows that an act left behind, by table and row. */
const ROWS = 'rows'
const DIGEST = /^[0-9a-f]{32,}$/

/** What kind of thing an act was done to. */
export function subjectWord(words: Words, row: Pick<AuditRow, 'subject_type'>): string {
  return term(words.admin.audit.subjects, row.subject_type)
}

export function factsOf(words: Words, facts: AuditRow['facts']): Fact[] {
  return Object.entries(facts)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => ({
      name: term(words.admin.audit.factNames, name),
      text: textOf(words, value),
      isDigest: name === ROWS || (typeof value === 'string' && DIGEST.test(value)),
    }))
}

function textOf(words: Words, value: unknown): string {
  const { yes, no } = words.admin.audit
  if (typeof value === 'boolean') return value ? yes : no
  if (typeof value === 'string') return MOMENT.test(value) ? dateTime(value) : term(words.admin.audit.factValues, value)
  if (Array.isArray(value)) return value.map((one) => textOf(words, one)).join(words.app.listComma)
  if (typeof value === 'object' && value !== null) {
    return factsOf(words, value as AuditRow['facts']).map(({ name, text }) => `${name}${words.app.colon}${text}`).join(words.app.semicolon)
  }
  return String(value)
}
