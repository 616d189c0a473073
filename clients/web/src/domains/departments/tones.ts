/** Which colour goes with which state of a system, its webhook and its events. */
import type { Feed, SystemState, Webhook } from '@/api/admin'
import type { Tone } from '@/ui/tones'

export const SYSTEM_TONES: Record<SystemState, Tone> = { pending: 'amber', active: 'green', suspended: 'orange', refused: 'red' }
export const WEBHOOK_TONES: Record<Webhook['state'], Tone> = { pending: 'amber', active: 'green', disabled: 'red' }
export const DELIVERY_TONES: Record<Feed['items'][number]['state'], Tone> = {
  taken: 'green',
  retried: 'red',
  waiting: 'amber',
  kept: 'plain',
}
