import { createHash } from 'node:crypto'

import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import type { AuditDay } from '@/api/admin'
import { zh } from '@/words/zh'

import { factsOf } from './facts'
import { areasOf, barsOf } from './hours'
import { sidesOf, walk } from './proof'

const sha256 = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
const join = (left: Buffer, right: Buffer) => sha256(Buffer.from([1]), left, right)
const LEAVES = Array.from({ length: 13 }, (_, number) => sha256(Buffer.from([0, number])))

/** The largest power of two that is less than a number (RFC 9162, 2.1.1). */
const split = (count: number) => 2 ** (Math.ceil(Math.log2(count)) - 1)

function rootOf(leaves: Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer
  const k = split(leaves.length)
  return join(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)))
}

/** The path of RFC 9162, 2.1.3.1, from the leaf up. */
function pathOf(index: number, leaves: Buffer[]): Buffer[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)]
  return index < k ? [...pathOf(index, left), rootOf(right)] : [...pathOf(index - k, right), rootOf(left)]
}

function proofOf(index: number, size: number) {
  const leaves = LEAVES.slice(0, size)
  const path = pathOf(index, leaves).map((step) => step.toString('hex'))
  return { leaf: (leaves[index] as Buffer).toString('hex'), index, size, path, root: rootOf(leaves).toString('hex') }
}

describe('the proof of an entry', () => {
  it('leads from every leaf of every tree to its root', async () => {
    for (let size = 2; size <= LEAVES.length; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = proofOf(index, size)
        expect((await walk(proof))?.at(-1)?.joined, `${index} of ${size}`).toBe(proof.root)
      }
    }
  })
  it('leads elsewhere with another leaf, at another place, or with a digest changed', async () => {
    const proof = proofOf(4, 11)
    for (const change of [{ leaf: '00'.repeat(32) }, { index: 5 }, { path: ['00'.repeat(32), ...proof.path.slice(1)] }]) {
      expect((await walk({ ...proof, ...change }))?.at(-1)?.joined).not.toBe(proof.root)
    }
  })
  it('has no way where its path is too long or too short', async () => {
    const proof = proofOf(4, 11)
    expect(await walk({ ...proof, path: proof.path.slice(1) })).toBeNull()
    expect(await walk({ ...proof, path: [...proof.path, proof.leaf] })).toBeNull()
    expect(sidesOf(0, 1, 0)).toEqual([])
  })
})

describe("a day's picture", () => {
  const day: Pick<AuditDay, 'hours'> = { hours: [{ hour: 8, counts: { pki: 1, identity: 3 } }, { hour: 9, counts: { documents: 2 } }, { hour: 10, counts: {} }] }
  const order = ['identity', 'pki', 'files', 'documents']
  it('names the areas that had anything, in one order', () => expect(areasOf(day, order)).toEqual(['identity', 'pki', 'documents']))
  it('is as high as its busiest hour, and areas stand on one another', () => {
    const [eight, nine, ten] = barsOf(day, order)
    expect(eight?.pieces).toEqual([
      { area: 'identity', count: 3, from: 0, height: 0.75 },
      { area: 'pki', count: 1, from: 0.75, height: 0.25 },
    ])
    expect([nine?.total, nine?.pieces[0]?.height, ten?.pieces]).toEqual([2, 0.5, []])
  })
})

describe('the facts of a record', () => {
  beforeEach(() => setActivePinia(createPinia()))
  it('are read in words, lists and entries among them, and what is empty is left out', () => {
    const found = factsOf(zh, { code: 'caizheng', scopes: ['a', 'b'], bound: true, why: '', entry: { name: '系统', per_minute: 60 }, digest: 'ab'.repeat(32) })
    expect(found.map(({ name, text }) => `${name} ${text}`)).toEqual([
      '代码 caizheng', '权限 a、b', '绑定连接证书 是', '登记内容 名称：系统；每分钟次数：60', `摘要 ${'ab'.repeat(32)}`,
    ])
    expect(found.at(-1)?.isDigest).toBe(true)
  })
})
