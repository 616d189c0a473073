/** What a judgement needs before it can be handed in. */
import type { Judgement } from '@/api/proposals'

export function emptyJudgement(): Judgement {
  return { contact: '', attitude: '', result: '', text: '' }
}

/** Every question is answered, and who is not satisfied with result or attitude says why. */
export function isJudged({ contact, attitude, result, text }: Judgement): boolean {
  const isBad = result === 'unsatisfied' || attitude === 'unsatisfied'
  return Boolean(contact && attitude && result) && (!isBad || text.trim() !== '')
}

/** A code as it is read out: in groups of four. */
export function spelled(code: string): string {
  return code.replace(/(.{4})(?=.)/g, '$1-')
}
