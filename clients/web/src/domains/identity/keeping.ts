/** Keeping the directory: what the forms ask for, and what the server is told. */
import { Problem } from '@/api/problem'
import type { Ability } from '@/api/types'
import type { SheetDifference, SheetProblem } from '@/api/directory'
import type { Words } from '@/words'

export const KEPT = '/api/directory'
export const KEEPERS = ['system_admin', 'security_admin']
export const BUSINESS_ROLES = [
  'clerk', 'office_reviewer', 'leader', 'unit_head', 'seal_keeper', 'cleared_general', 'cleared_important', 'cleared_core',
]

/** The header by which a change says what it was made from. */
export function ifSeen(seen: string): Record<string, string> {
  return { 'If-Match': `"${seen}"` }
}

export function abilityOf(abilities: Ability[] | undefined, verb: string): Ability | undefined {
  return abilities?.find((one) => one.verb === verb)
}

/** The lines of a text that say something. */
export function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter(Boolean)
}

/** What a refusal names: the people still in a unit, the tasks that nobody would be left with. */
export function factsOf(error: unknown, words: Words): string {
  if (!(error instanceof Problem)) return ''
  const { people, organs, systems, tasks, count } = error.facts as Record<string, unknown>
  const named = [people, organs, systems].flatMap((found) => (Array.isArray(found) ? (found as string[]) : []))
  if (Array.isArray(tasks)) {
    const shown = (tasks as Record<string, string>[]).map((task) => [task.step, task.doc_no, task.since].filter(Boolean).join(' '))
    return words.keeping.tasks(Number(count), shown.join(words.app.semicolon))
  }
  return named.join(words.app.listComma)
}

export function problemsOf(error: unknown): SheetProblem[] {
  if (!(error instanceof Problem)) return []
  const { problems, sheet, row } = error.facts
  if (Array.isArray(problems)) return problems as SheetProblem[]
  if (!sheet) return []
  return [{ sheet: String(sheet), row: Number(row), column: '', code: error.code, message: error.title }]
}

/** The new difference that comes with the refusal of one that is no longer true. */
export function newDifferenceOf(error: unknown): SheetDifference | null {
  const found = error instanceof Problem ? error.facts.difference : null
  return (found as SheetDifference | undefined) ?? null
}
