/** What is read out of figures: shares, the list behind each number, and which part comes first. */
import type { RouteLocationRaw } from 'vue-router'

import type { Figure, FigurePart, SessionFigures } from '@/api/figures'
import { term, type Words } from '@/words'
import { zh } from '@/words/zh'

/** Every figure, in the groups in which they are looked at. */
export const GROUPS: Record<string, string[]> = {
  filing: ['entered', 'filed', 'rejected', 'merged', 'key'],
  dispatching: ['given_out', 'first_time', 'returned', 'extended'],
  handling: ['replied', 'on_time', 'closed', 'spoken_with', 'again', 'published'],
  results: ['solved', 'planned', 'not_yet', 'for_reference', 'improved'],
  judgements: [
    'judged', 'result_satisfied', 'result_mostly', 'result_unsatisfied', 'attitude_satisfied', 'contact_satisfied',
    'cases_satisfied',
  ],
}

/** What stands at the head of the page. */
export const HEADLINES = [
  'entered', 'filed', 'given_out', 'replied', 'on_time', 'spoken_with', 'solved', 'cases_satisfied',
]

export const COLOURS: Record<string, string> = {
  solved: '#23693b', planned: '#2f6db5', not_yet: '#c27a00', for_reference: '#8795a5',
  result_satisfied: '#23693b', result_mostly: '#2f6db5', result_unsatisfied: '#b3161f',
}
export const CLASSES = ['solved', 'planned', 'not_yet', 'for_reference']
export const SATISFACTIONS = ['result_satisfied', 'result_mostly', 'result_unsatisfied']

export function figureOf(figures: Figure[], code: string): Figure | undefined {
  return figures.find((one) => one.code === code)
}

export function countOf(figures: Figure[], code: string): number {
  return figureOf(figures, code)?.counted ?? 0
}

/** How much of the whole is counted, from 0 to 1; null where there is nothing to be a part of. */
export function shareOf(figure: Figure | undefined): number | null {
  return figure?.out_of ? figure.counted / figure.out_of : null
}

/** `87.5%`; a whole percentage without its zero. */
export function percent(share: number | null): string {
  if (share === null) return '—'
  return `${(share * 100).toFixed(1).replace('.0', '')}%`
}

/** The word for what is counted, which the server names in Chinese. */
export function unitWord(words: Words, of: string): string {
  const known = zh.proposalFigures.units
  const code = Object.keys(known).find((one) => known[one] === of)
  return code ? term(words.proposalFigures.units, code, of) : of
}

/** Whose figures are looked at: of a sitting, and where `part` is named of one part of it. */
export interface Scope {
  sitting: string
  by: string
  part?: string
}

/** The list of the cases behind a number: of what was counted, or of what it was counted out of. */
export function behind(scope: Scope, code: string, counted: boolean): RouteLocationRaw {
  const query: Record<string, string> = { sitting: scope.sitting, figure: code, counted: String(counted) }
  if (scope.part !== undefined) Object.assign(query, { by: scope.by, part: scope.part })
  return { path: '/proposals', query }
}

/** The parts that have something of a figure, the greatest number first. */
export function ranked(parts: FigurePart[], code: string): FigurePart[] {
  const size = (part: FigurePart) => countOf(part.figures, code)
  return parts.filter((part) => size(part) > 0).sort((a, b) => size(b) - size(a))
}

export interface Piece {
  code: string
  count: number
  /** Where it begins and how wide it is, in percent of the widest bar. */
  from: number
  width: number
}

/** The pieces of one bar beside others of which the longest counts `most`. */
export function piecesOf(figures: Figure[], codes: string[], most: number): Piece[] {
  let from = 0
  const found: Piece[] = []
  for (const code of codes) {
    const count = countOf(figures, code)
    const width = most ? (count / most) * 100 : 0
    if (count) found.push({ code, count, from, width })
    from += width
  }
  return found
}

export function sumOf(figures: Figure[], codes: string[]): number {
  return codes.reduce((sum, code) => sum + countOf(figures, code), 0)
}

const FILED = ['filed', 'dispatched', 'handling', 'rehandling', 'replied', 'tracking', 'closed']
const CLASS_OF: Record<string, string> = { solved: 'A', planned: 'B', not_yet: 'C', for_reference: 'D' }

/** A sitting beside others, in the words of figures: so that both are drawn by the same pictures. */
export function sessionFigures(session: SessionFigures): Figure[] {
  const inStates = (states: string[]) => states.reduce((sum, state) => sum + (session.states[state] ?? 0), 0)
  const replied = inStates(['replied', 'rehandling', 'tracking', 'closed'])
  const given = replied + inStates(['dispatched', 'handling'])
  const figure = (code: string, counted: number, out_of: number | null): Figure => (
    { code, title: '', of: '', counted, out_of, explanation: '' }
  )
  const answers = Object.values(session.results).reduce((sum, count) => sum + count, 0)
  return [
    figure('filed', inStates(FILED), inStates([...FILED, 'rejected', 'merged'])),
    figure('given_out', given, inStates(FILED)),
    figure('replied', replied, given),
    figure('closed', inStates(['tracking', 'closed']), given),
    ...Object.entries(CLASS_OF).map(([code, letter]) => figure(code, session.results[letter] ?? 0, answers)),
  ]
}
