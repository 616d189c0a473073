/** Which colour goes with which state. */
export type Tone = 'plain' | 'blue' | 'green' | 'amber' | 'orange' | 'red'

const TONES: Record<string, Tone> = {
  drafting: 'plain',
  abandoned: 'plain',
  under_review: 'blue',
  signed: 'blue',
  numbered: 'blue',
  frozen: 'blue',
  sealed: 'blue',
  dispatched: 'green',
  closed: 'plain',
  arrived: 'amber',
  refused: 'red',
  signed_for: 'blue',
  registered: 'blue',
  proposed: 'blue',
  instructed: 'blue',
  handling: 'blue',
  handled: 'green',
  urgent: 'amber',
  extra_urgent: 'red',
}

export function toneOf(code: string): Tone {
  return TONES[code] ?? 'plain'
}

/** For the sender of a document all that counts is whether it was signed for; what the receiver does then is theirs. */
export function receiptTone(state: string): Tone {
  return state === 'arrived' || state === 'refused' ? toneOf(state) : 'green'
}
