/** The shapes of the working-day calendar. Days are `YYYY-MM-DD`, the same in every time zone. */
import type { Ability } from './types'

export type DayKind = 'worked' | 'make_up' | 'weekend' | 'holiday' | 'local'

export interface CalendarDay {
  on: string
  kind: DayKind
  name: string
}

export interface CalendarYear {
  year: number
  worked: number
  holidays: number
  make_up: number
  notice: string
  is_published: boolean
}

export interface YearList {
  items: CalendarYear[]
  abilities: Ability[]
}

export interface NoticeVersion {
  id: string
  notice: string
  sha256: string
  entered_by: string
  at: string
}

export interface YearShown {
  year: number
  is_published: boolean
  seen: string
  days: CalendarDay[]
  versions: NoticeVersion[]
}

export interface NamedDay {
  date: string
  name: string
  is_off_day: boolean
}

export interface NoticeDifference {
  year: number
  entered: boolean
  worked_before: number
  worked: number
  changed: { on: string; before: string; after: string; before_name: string; after_name: string }[]
}

export type TermUnit = 'working_day' | 'day' | 'month' | 'working_hour'

export interface CountedDay extends CalendarDay {
  number: number | null
  why: 'start' | 'counts' | 'off' | 'paused' | 'moved'
  minutes: number | null
}

export interface DueDay {
  start: string
  due: string
  due_at: string
  is_provisional: boolean
  days: CountedDay[]
}

/** Office hours from one day of every year on: `begins` is MM-DD, each span from HH:MM to HH:MM. */
export interface Season {
  begins: string
  spans: [string, string][]
}

export interface Schedule {
  seasons: Season[]
  notice: string
  entered_by: string
  at: string | null
}

export interface ScheduleList {
  items: Schedule[]
  seen: string
  abilities: Ability[]
}

/** 办理时限: `left` counts working days, or, below zero, the days since it ended; null of what does not run. */
export interface ClockShown {
  id: string
  title: string
  due: string | null
  light: 'green' | 'blue' | 'yellow' | 'red' | 'grey'
  left: number | null
  state: 'running' | 'paused' | 'stopped'
  provisional: boolean
  ground: string
}

export interface ClockExplanation {
  title: string
  start: string
  unit: TermUnit
  quantity: number
  due: string | null
  provisional: boolean
  days: CountedDay[]
  pauses: { since: string; until: string | null; ground: string }[]
}
