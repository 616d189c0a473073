/** The vocabulary of this installation, read once. */
import { api } from '@/api/client'
import type { Vocabulary } from '@/api/types'

let reading: Promise<Vocabulary> | null = null

export function vocabulary(): Promise<Vocabulary> {
  reading ??= api.get<Vocabulary>('/api/vocabulary').catch((error: unknown) => {
    reading = null
    throw error
  })
  return reading
}
