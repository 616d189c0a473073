/** The organs and their people, read once per session: pickers, names and the directory share them. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { api } from '@/api/client'
import type { Official, Organ, OrganDetail } from '@/api/types'

export const useDirectory = defineStore('directory', () => {
  const organs = shallowRef<Organ[]>([])
  const byId = computed(() => new Map(organs.value.map((organ) => [organ.id, organ])))
  const details = new Map<string, Promise<OrganDetail>>()
  let reading: Promise<void> | null = null

  function load(): Promise<void> {
    reading ??= api
      .get<{ items: Organ[] }>('/api/organs')
      .then(({ items }) => void (organs.value = items))
      .catch((error: unknown) => {
        reading = null
        throw error
      })
    return reading
  }

  function detail(id: string): Promise<OrganDetail> {
    const found = details.get(id) ?? api.get<OrganDetail>(`/api/organs/${id}`)
    details.set(id, found)
    found.catch(() => details.delete(id))
    return found
  }

  /** The directory was changed: read it anew. */
  function forget(): void {
    details.clear()
    reading = null
  }

  /** The people of an organ who hold a responsibility, with their unit's name. */
  async function holders(organId: string, role: string): Promise<(Official & { unit: string })[]> {
    const { units } = await detail(organId)
    const all = units.flatMap((unit) => unit.officials.map((official) => ({ ...official, unit: unit.name })))
    return all.filter((official) => official.roles.includes(role))
  }

  return { organs, byId, load, detail, forget, holders }
})

/** Whether an organ is meant by what somebody typed: part of its name, short name or code. */
export function organMatches(organ: Organ, typed: string): boolean {
  const wanted = typed.trim().toLowerCase()
  return `${organ.name} ${organ.short_name} ${organ.code}`.toLowerCase().includes(wanted)
}

export interface Branch {
  organ: Organ
  below: Branch[]
}

/** The organs as a tree by their superiors; whose superior is not among them stands at the top. */
export function treeOf(organs: Organ[]): Branch[] {
  const branches = new Map(organs.map((organ) => [organ.id, { organ, below: [] as Branch[] }]))
  const top: Branch[] = []
  for (const branch of branches.values()) {
    const above = branch.organ.superior_id ? branches.get(branch.organ.superior_id) : undefined
    ;(above?.below ?? top).push(branch)
  }
  return top
}
