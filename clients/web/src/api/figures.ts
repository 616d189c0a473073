/** The shapes of a sitting's figures, and of the screen on the wall. */
import type { Named } from './types'

/** A figure: so many of so many; `out_of` is null where it is a mere count. */
export interface Figure {
  code: string
  title: string
  of: string
  counted: number
  out_of: number | null
  explanation: string
}

/** The figures of one organ, category or delegation. */
export interface FigurePart {
  key: string
  name: string
  figures: Figure[]
  mean_days: number | null
}

export interface SittingFigures {
  sitting: Named
  figures: Figure[]
  mean_days: number | null
  by: string
  parts: FigurePart[]
}

export interface SessionFigures {
  sitting: Named
  states: Record<string, number>
  results: Record<string, number>
}

export interface WallDue {
  id: string
  case_no: string
  title: string
  organ: string
  limit: string
  due: string
  left: number
}

export interface WallAct {
  id: string
  case_no: string
  title: string
  verb: string
  act: string
  organ: string
  at: string
}

export interface Wall {
  overdue: number
  due: WallDue[]
  acts: WallAct[]
}
