/** Which colour goes with which state of the register. */
import type { CertificateState, DeviceVerb, Light, Outcome, RequestState, Stage } from '@/api/pki'
import type { Tone } from '@/ui/tones'

export const DEVICE_TONES: Record<DeviceVerb, Tone> = {
  registered: 'plain',
  handed_over: 'green',
  returned: 'plain',
  unlocked: 'green',
  lost: 'red',
  retired: 'plain',
}

export const CERTIFICATE_TONES: Record<CertificateState, Tone> = { good: 'green', suspended: 'amber', revoked: 'red' }

export const REQUEST_TONES: Record<RequestState, Tone> = {
  pending: 'amber',
  approved: 'blue',
  issued: 'blue',
  installed: 'green',
  refused: 'red',
}

export const LIGHT_TONES: Record<Light, Tone> = { none: 'plain', yellow: 'amber', orange: 'orange', red: 'red', out: 'red' }

export const STAGE_TONES: Record<Stage, Tone> = {
  no_device: 'plain',
  no_keys: 'amber',
  pending: 'amber',
  issued: 'blue',
  written: 'blue',
  handed_over: 'green',
}

export const OUTCOME_TONES: Record<Outcome, Tone> = { ready: 'blue', done: 'green', empty: 'plain', wrong: 'red' }
