/** The report of a sheet of cases, as the page walks through it. */
import type { ImportProblem, ImportReport } from '@/api/proposals'

const ORDER = ['refused', 'changed', 'kept', 'new', 'unchanged']

/** What becomes of rows, those first that somebody has to look at, without what does not occur. */
export function outcomesOf(report: ImportReport | null): { key: string; count: number }[] {
  const counts = report?.counts ?? {}
  return ORDER.map((key) => ({ key, count: counts[key] ?? 0 })).filter(({ count }) => count > 0)
}

/** The problems of each row of the cases; under 0 those of the headers and of the sheets beside. */
export function problemsByRow(report: ImportReport | null): Map<number, ImportProblem[]> {
  const found = new Map<number, ImportProblem[]>()
  const shown = new Set((report?.rows ?? []).map(({ row }) => row))
  const main = report?.problems.find(({ row }) => shown.has(row))?.sheet
  for (const one of report?.problems ?? []) {
    const row = one.sheet === main && shown.has(one.row) ? one.row : 0
    found.set(row, [...(found.get(row) ?? []), one])
  }
  return found
}
