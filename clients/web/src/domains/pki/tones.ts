/** Which colour goes with which state of the register. */
import type { CertificateState, DeviceVerb, Light, RequestState } from '@/api/pki'
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
