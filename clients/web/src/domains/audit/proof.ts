/** The proof of one entry, walked from the leaf to the root, joined with what stands beside it (RFC 9162, 2.1.3.2). */
import type { AuditProof } from '@/api/admin'

export interface Step {
  sibling: string
  side: 'left' | 'right'
  /** What both hash to. */
  joined: string
}

/** How two nodes of the tree become one (RFC 9162, 2.1.1). */
const NODE = 0x01

function bytesOf(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16))
}

async function join(left: string, right: string): Promise<string> {
  const data = new Uint8Array([NODE, ...bytesOf(left), ...bytesOf(right)])
  const digest = await crypto.subtle.digest('SHA-256', data)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** On which side of the way up each digest of the path stands. A path that is too long or too short has no sides. */
export function sidesOf(index: number, size: number, length: number): Step['side'][] | null {
  let [place, last] = [index, size - 1]
  const sides: Step['side'][] = []
  while (sides.length < length) {
    if (last === 0) return null
    const isLeft = place % 2 === 1 || place === last
    sides.push(isLeft ? 'left' : 'right')
    // The last node of a level that has nobody beside it goes up as it is.
    while (isLeft && place % 2 === 0 && place > 0) [place, last] = [half(place), half(last)]
    ;[place, last] = [half(place), half(last)]
  }
  return last === 0 ? sides : null
}

function half(value: number): number {
  return Math.floor(value / 2)
}

/** Every level of the way up; null when the path does not fit a tree of this size. */
export async function walk(proof: Pick<AuditProof, 'leaf' | 'index' | 'size' | 'path'>): Promise<Step[] | null> {
  const sides = sidesOf(proof.index, proof.size, proof.path.length)
  if (!sides) return null
  const steps: Step[] = []
  let node = proof.leaf
  for (const [level, side] of sides.entries()) {
    const sibling = proof.path[level] ?? ''
    node = side === 'left' ? await join(sibling, node) : await join(node, sibling)
    steps.push({ sibling, side, joined: node })
  }
  return steps
}
