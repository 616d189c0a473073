import { describe, expect, it } from 'vitest'

import { AgentError } from '@/agent/agent'

import { useSequence } from './sequence'

describe('one act for each of many rows', () => {
  it('goes on after one that failed, and tells which and why', async () => {
    const sequence = useSequence<number>()
    await sequence.run([1, 2, 3], async (item) => {
      if (item === 2) throw new AgentError('agent.absent', '没有找到签名助手')
    })
    expect(sequence.done.value).toBe(2)
    expect(sequence.failures.value).toEqual([{ item: 2, reason: '没有找到签名助手' }])
    expect(sequence.share.value).toBe(100)
  })

  it('stops between two rows, and never runs twice at once', async () => {
    const sequence = useSequence<number>()
    const seen: number[] = []
    await sequence.run([1, 2, 3], async (item) => {
      seen.push(item)
      await sequence.run([7], async (other) => void seen.push(other))
      sequence.stop()
    })
    expect(seen).toEqual([1])
    expect(sequence.share.value).toBe(33)
  })
})
