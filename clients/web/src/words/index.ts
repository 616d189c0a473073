/** The words a user reads: Chinese first, English by choice. `useWords()` gives the catalogue of the moment. */
import { computed, type ComputedRef } from 'vue'

import { usePrefs } from '@/ui/prefs'

import { en } from './en'
import { zh } from './zh'

export type Words = typeof zh
export type Language = 'zh' | 'en'

const catalogues: Record<Language, Words> = { zh, en }

export function useWords(): ComputedRef<Words> {
  const prefs = usePrefs()
  return computed(() => catalogues[prefs.language])
}

/** The catalogue outside components: what it gives does not change with the language afterwards. */
export function currentWords(): Words {
  return catalogues[usePrefs().language]
}

/** The word for a step of the standard routes; a step that an office has named itself keeps its name. */
export function stepWord(words: Words, title: string): string {
  const code = Object.keys(zh.codes.steps).find((one) => zh.codes.steps[one] === title)
  return code ? term(words.codes.steps, code, title) : title
}

/** The word for a code of the vocabulary; a code that this client does not know keeps the server's title. */
export function term(table: Record<string, string>, code: string, title = ''): string {
  return table[code] ?? (title || code)
}
