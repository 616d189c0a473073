/** The four levels of headings of official documents (GB/T 9704-2012, 7.3.3): 一、 （一） 1. （1） */
import type { Block } from '@/api/types'

const DIGITS = '零一二三四五六七八九'
const PATTERNS = [/^[零一二三四五六七八九十百]+、/, /^[（(][零一二三四五六七八九十百]+[）)]/, /^\d+[.．](?!\d)/, /^[（(]\d+[）)]/]
/** What is longer, or ends like a sentence, is text that merely begins with a number. */
const LONGEST_HEADING = 60

export const TYPED_NUMBER = /^(?:[一二三四五六七八九十]+、|[（(][一二三四五六七八九十]+[）)]|\d+[.．]|[（(]\d+[）)])$/

/** The level that a text's number stands for, or 0. */
export function levelOf(text: string): number {
  return PATTERNS.findIndex((pattern) => pattern.test(text)) + 1
}

export function isHeading(text: string): boolean {
  return levelOf(text) > 0 && text.length <= LONGEST_HEADING && !/[。；！？]$/.test(text)
}

export function withoutNumber(text: string): string {
  const level = levelOf(text)
  return level ? text.replace(PATTERNS[level - 1] as RegExp, '').trimStart() : text
}

/** 1 to 99 in Chinese: 一, 十, 十一, 二十, 九十九. */
export function chinese(n: number): string {
  const tens = Math.floor(n / 10)
  return `${tens > 1 ? DIGITS[tens] : ''}${tens ? '十' : ''}${n % 10 || !tens ? DIGITS[n % 10] : ''}`
}

export function numberFor(level: number, n: number): string {
  return [`${chinese(n)}、`, `（${chinese(n)}）`, `${n}.`, `（${n}）`][level - 1] ?? ''
}

/** How many headings of `level` come before, in the same part of the text, plus one. */
export function nextOrdinal(before: { level: number }[], level: number): number {
  let count = 0
  for (const heading of before) {
    if (heading.level < level) count = 0
    else if (heading.level === level) count += 1
  }
  return count + 1
}

/** The blocks with all headings numbered anew, each level within the one above it. */
export function renumbered(blocks: Block[]): Block[] {
  const seen: { level: number }[] = []
  return blocks.map((block) => {
    if (block.type !== 'heading') return block
    const number = numberFor(block.level, nextOrdinal(seen, block.level))
    seen.push(block)
    return { ...block, text: number + withoutNumber(block.text) }
  })
}
