/** Why a Word file was not imported: in the words of the server, and where in the file it is beyond the limit. */
import { Problem } from '@/api/problem'
import { titleOf } from '@/ui/load'
import { currentWords } from '@/words'

/** What the server says of the place, all of it counted from one. */
interface Place {
  table?: number
  row?: number
  column?: number
  begins?: string
  found?: number
}

export function importProblem(error: unknown): string {
  const place = error instanceof Problem ? placeOf(error.facts) : ''
  return place ? titleOf(error) + currentWords().app.aside(place) : titleOf(error)
}

function placeOf({ table, row, column, begins, found = 0 }: Place): string {
  const { beyond } = currentWords().draft
  if (begins) return beyond.text(begins, found)
  if (table && row && column) return beyond.cell(table, row, column, found)
  return table ? beyond.table(table, found) : ''
}
