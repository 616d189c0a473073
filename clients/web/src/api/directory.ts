/** The shapes of keeping the directory, roles, rosters and settings. */
import type { Ability, Named, Organ } from './types'

export interface KeptPost {
  id: string
  official: Named
  code: string
  organ: Named
  unit: Named
  title: string
  is_principal: boolean
  retired_at: string | null
  roles: string[]
  seen: string
}

export interface KeptUnit {
  id: string
  name: string
  position: number
  retired_at: string | null
  posts: KeptPost[]
  seen: string
}

export interface KeptOrgan {
  id: string
  code: string
  full_name: string
  short_name: string
  level: string
  superior_id: string | null
  issuing_word: string
  issuer_mark: string
  retired_at: string | null
  remits: { items: string[]; seen: string }
  units: KeptUnit[]
  abilities: Ability[]
  seen: string
}

export interface RoleChange {
  id: string
  official: Named
  code: string
  organ: string
  unit: string
  role: string
  reason: string
  state: 'pending' | 'confirmed' | 'refused' | 'withdrawn'
  proposed_by: string
  proposed_at: string
  decided_by: string
  decided_at: string | null
  abilities: Ability[]
}

export interface KeptOfficial {
  id: string
  code: string
  name: string
  retired_at: string | null
  posts: KeptPost[]
  roles: { id: string; role: string; organ: Named; unit: string }[]
  proposed: RoleChange[]
  abilities: Ability[]
  seen: string
}

export interface DirectoryState {
  retired: Organ[]
  waiting: number
  abilities: Ability[]
}

export interface SheetLine {
  sheet: string
  row: number
  subject: 'organs' | 'remits' | 'units' | 'officials' | 'duties' | 'settings'
  effect: 'added' | 'changed' | 'retired' | 'restored' | 'proposed'
  code: string
  name: string
  cells: { column: string; old: string; new: string }[]
}

export interface SheetDifference {
  digest: string
  counts: Partial<Record<SheetLine['effect'], number>>
  unchanged: number
  lines: SheetLine[]
  left_off: number
}

export interface SheetProblem {
  sheet: string
  row: number
  column: string
  code: string
  message: string
}

export interface Duty {
  id: string
  organ: Named
  unit: Named | null
  official: Named
  code: string
  starts_at: string
  ends_at: string
  telephone: string
  remark: string
  seen: string
}

export interface DutyList {
  items: Duty[]
  abilities: Ability[]
}

export interface SettingChange {
  id: string
  name: string
  value: string
  reason: string
  state: 'pending' | 'in_force' | 'refused' | 'withdrawn'
  proposed_by: string
  proposed_at: string
  decided_by: string
  decided_at: string | null
  abilities: Ability[]
}

export interface Setting {
  name: string
  value: string
  in_file: string
  takes_two: boolean
  owner: string
  seen: string
  changed_by: string
  changed_at: string | null
  waiting: SettingChange | null
  abilities: Ability[]
}

export interface SettingList {
  items: Setting[]
  fixed: { name: string; value: string }[]
}
