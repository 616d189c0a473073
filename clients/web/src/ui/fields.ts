/** Fields of a form that is described rather than written out. */

export interface Field {
  key: string
  label: string
  kind?: 'text' | 'area' | 'choice' | 'flag' | 'moment' | 'day'
  value?: string | boolean | null
  required?: boolean
  hint?: string
  max?: number
  options?: { value: string; label: string }[]
}

export type Values = Record<string, string | boolean | null>

/** What the fields hold at first. */
export function valuesOf(fields: Field[]): Values {
  return Object.fromEntries(fields.map((field) => [field.key, field.value ?? (field.kind === 'flag' ? false : '')]))
}

/** Whether a field holds what it needs: spaces alone are nothing. */
export function isFilled(field: Field, value: unknown): boolean {
  return !field.required || (typeof value === 'string' ? value.trim() !== '' : Boolean(value))
}

/** The texts of a form without spaces at their ends; an empty choice is none. */
export function trimmed(values: Values, choices: string[] = []): Values {
  const pairs = Object.entries(values).map(([key, value]) => {
    const text = typeof value === 'string' ? value.trim() : value
    return [key, choices.includes(key) ? text || null : text] as const
  })
  return Object.fromEntries(pairs)
}
