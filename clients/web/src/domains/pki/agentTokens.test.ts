import { describe, expect, it } from 'vitest'

import { likeliest } from './agentTokens'

const token = (id: string, label: string) => ({ id, label, kind: 'token' })

describe('the device that is meant', () => {
  const two = [token('0001', 'K-1'), token('0002', 'K-2')]
  it('bears the number in the register, on its label or as its serial number', () => {
    expect(likeliest(two, 'K-2')?.id).toBe('0002')
    expect(likeliest(two, '0001')?.id).toBe('0001')
  })
  it('is the only one there is, and of several unknown ones none', () => {
    expect(likeliest(two.slice(1), 'K-9')?.id).toBe('0002')
    expect(likeliest(two, 'K-9')).toBeUndefined()
  })
})
