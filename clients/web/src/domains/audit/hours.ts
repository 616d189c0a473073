/** A day as bars: per hour the acts of each area, one on another. */
import type { AuditDay } from '@/api/admin'

export interface Piece {
  area: string
  count: number
  /** From the foot of the picture, in parts of its height. */
  from: number
  height: number
}

export interface Bar {
  hour: number
  total: number
  pieces: Piece[]
}

export function totalOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

/** Areas in one order for all hours, so that a colour stays at its place. */
export function barsOf(day: Pick<AuditDay, 'hours'>, areas: string[]): Bar[] {
  const tallest = Math.max(1, ...day.hours.map(({ counts }) => totalOf(counts)))
  return day.hours.map(({ hour, counts }) => {
    let from = 0
    const pieces = areas.filter((area) => counts[area]).map((area) => {
      const count = counts[area] ?? 0
      const piece = { area, count, from, height: count / tallest }
      from += piece.height
      return piece
    })
    return { hour, total: totalOf(counts), pieces }
  })
}

/** The areas that have anything on this day, in the order of the vocabulary. */
export function areasOf(day: Pick<AuditDay, 'hours'>, order: string[]): string[] {
  return order.filter((area) => day.hours.some(({ counts }) => counts[area]))
}
