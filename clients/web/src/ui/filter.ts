/** How a list is narrowed and ordered; it lives in the address, so that going back finds it again. */
import { reactive, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** A filter that starts from what the address says about the members of `empty`, and is written back into it. */
export function useAddressFilter<F extends object>(empty: F): F {
  const router = useRouter()
  const route = useRoute()
  const filter = reactive({ ...empty, ...chosenIn(route.query, empty) }) as F
  watch(filter, () => void router.replace({ query: queryOf(filter, empty) }))
  return filter
}

/** Whether anything is left out of the list. */
export function isNarrowed(filter: object): boolean {
  return Object.entries(filter).some(([name, value]) => name !== 'sort' && Boolean(value))
}

/** What the address says about the members of `empty`; anything else in it is somebody else's. */
export function chosenIn(query: Record<string, unknown>, empty: object): object {
  const known = Object.entries(empty).filter(([name]) => typeof query[name] === 'string')
  return Object.fromEntries(known.map(([name, none]) => [name, typeof none === 'boolean' ? true : query[name]]))
}

export function queryOf(filter: object, empty: object): Record<string, string> {
  const chosen = Object.entries(filter).filter(([name, value]) => value !== (empty as Record<string, unknown>)[name])
  return Object.fromEntries(chosen.map(([name, value]) => [name, String(value ?? '')]))
}
