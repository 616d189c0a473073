/** What a user has chosen for this browser: language, large type, single-letter keys. */
import { defineStore } from 'pinia'
import { ref, watchEffect } from 'vue'

import type { Language } from '@/words'

const STORED = 'oa-prefs'

interface Stored {
  language?: Language
  large?: boolean
  keys?: boolean
}

function read(): Stored {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? '{}') as Stored
  } catch {
    return {}
  }
}

export const usePrefs = defineStore('prefs', () => {
  const stored = read()
  const language = ref<Language>(stored.language === 'en' ? 'en' : 'zh')
  const large = ref(stored.large ?? false)
  const keys = ref(stored.keys ?? true)

  watchEffect(() => {
    localStorage.setItem(STORED, JSON.stringify({ language: language.value, large: large.value, keys: keys.value }))
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en'
    document.documentElement.classList.toggle('large', large.value)
  })

  return { language, large, keys }
})
