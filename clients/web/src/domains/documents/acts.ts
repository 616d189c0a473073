/** What each verb needs of the person who does it, and how that becomes an act for the server. */
import type { Usage } from '@/agent/agent'
import type { Act } from '@/api/types'

export type Collection = 'documents' | 'incoming'

export interface Form {
  /** The certificate that signs the act; none for acts without a signature. */
  signs?: Usage
  /** Cannot be taken back and reaches others: confirmed on a page of its own. */
  isFinal?: boolean
  isDangerous?: boolean
  /** The text that goes with the act: its label, and whether it is sent as the opinion or as the reason. */
  text?: { label: 'opinion' | 'reason' | 'proposal' | 'refusalText' | 'result'; as: 'opinion' | 'reason'; optional?: boolean }
  asks?: ('resume' | 'leader' | 'unit' | 'code')[]
}

const OPINION = { label: 'opinion', as: 'opinion' } as const

const FORMS: Record<Collection, Record<string, Form>> = {
  documents: {
    approve: { signs: 'signing', text: OPINION },
    return: { signs: 'signing', text: { label: 'reason', as: 'reason' }, asks: ['resume'] },
    sign: { signs: 'signing', text: OPINION, isFinal: true },
    seal: { signs: 'seal', isFinal: true },
    dispatch: { signs: 'signing', isFinal: true },
    // Required when a number is given up with the document; the server says so.
    abandon: { isDangerous: true, text: { label: 'reason', as: 'reason', optional: true } },
  },
  incoming: {
    sign_for: { signs: 'signing' },
    refuse: { signs: 'signing', isDangerous: true, asks: ['code'], text: { label: 'refusalText', as: 'reason' } },
    propose: { asks: ['leader'], text: { label: 'proposal', as: 'opinion' } },
    instruct: { signs: 'signing', text: OPINION },
    assign: { asks: ['unit'] },
    finish: { signs: 'signing', text: OPINION },
    close: { text: { label: 'result', as: 'opinion', optional: true } },
  },
}

export function formOf(collection: Collection, verb: string): Form {
  return FORMS[collection][verb] ?? {}
}

/** What has been filled in. */
export interface Filled {
  text: string
  resume: string
  leader: string
  unit: string
  code: string
}

const PARAMETERS = { resume: 'resume', leader: 'leader_id', unit: 'unit_id', code: 'code' } as const

export function isComplete(form: Form, filled: Filled): boolean {
  const hasText = !form.text || form.text.optional || filled.text.trim() !== ''
  return hasText && (form.asks ?? []).every((name) => filled[name] !== '')
}

export function actOf(verb: string, form: Form, filled: Filled): Act {
  const asked = (form.asks ?? []).map((name) => [PARAMETERS[name], filled[name]])
  const act: Act = { verb, parameters: Object.fromEntries(asked) as Act['parameters'] }
  return form.text ? { ...act, [form.text.as]: filled.text.trim() } : act
}

/** The verb that the key `1` stands for: whatever agreeing means at this step. */
export const AGREEING = ['approve', 'sign', 'instruct', 'finish', 'sign_for']
export const RETURNING = ['return', 'refuse']
