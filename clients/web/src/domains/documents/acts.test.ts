import { describe, expect, it } from 'vitest'

import { actOf, formOf, isComplete, type Filled } from './acts'

const NOTHING: Filled = { text: '', resume: '', leader: '', unit: '', code: '' }

describe('acts', () => {
  it('sends an opinion as the opinion and a reason as the reason', () => {
    const filled = { ...NOTHING, text: ' 同意 ', resume: 'direct' }
    expect(actOf('approve', formOf('documents', 'approve'), filled)).toEqual({ verb: 'approve', parameters: {}, opinion: '同意' })
    expect(actOf('return', formOf('documents', 'return'), filled)).toEqual({
      verb: 'return', parameters: { resume: 'direct' }, reason: '同意',
    })
  })
  it('sends a refusal with its code, a proposal with its leader', () => {
    const filled = { ...NOTHING, text: '重复', code: 'duplicate', leader: 'l1' }
    expect(actOf('refuse', formOf('incoming', 'refuse'), filled).parameters).toEqual({ code: 'duplicate' })
    expect(actOf('propose', formOf('incoming', 'propose'), filled)).toEqual({
      verb: 'propose', parameters: { leader_id: 'l1' }, opinion: '重复',
    })
  })
  it('is complete only with everything the verb asks for', () => {
    const refuse = formOf('incoming', 'refuse')
    expect(isComplete(refuse, { ...NOTHING, text: '原因' })).toBe(false)
    expect(isComplete(refuse, { ...NOTHING, text: '原因', code: 'format' })).toBe(true)
    expect(isComplete(formOf('incoming', 'close'), NOTHING)).toBe(true)
    expect(isComplete(formOf('documents', 'number'), NOTHING)).toBe(true)
  })
  it('closes an outgoing document without a text and an incoming one with a result', () => {
    expect(formOf('documents', 'close').text).toBeUndefined()
    expect(formOf('incoming', 'close').text?.label).toBe('result')
  })
})
