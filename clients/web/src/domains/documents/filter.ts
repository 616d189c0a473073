/** How the lists of documents are narrowed and ordered. */
import { useAddressFilter } from '@/ui/filter'

export interface Filter {
  q: string
  state: string
  kind: string
  urgency: string
  /** Days, both included: `2026-03-05`. */
  since: string
  until: string
  sort: 'newest' | 'oldest'
}

const EMPTY: Filter = { q: '', state: '', kind: '', urgency: '', since: '', until: '', sort: 'newest' }

export function useFilter<More extends object>(more: More): Filter & More {
  return useAddressFilter({ ...EMPTY, ...more })
}
