/** Every word a user reads stands in the catalogues: none is missing in one of them, none is bare in a component. */
import { parse } from '@vue/compiler-sfc'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { en } from './en'
import { zh } from './zh'

const ROOT = join(__dirname, '..')
const WORD = /[A-Za-z\u3400-\u9fff]/
const HAN = /[\u3400-\u9fff]/
const WORDY = ['placeholder', 'title', 'label', 'aria-label', 'alt', 'content']

interface Node {
  type: number
  content?: unknown
  props?: { name: string; value?: { content: string } }[]
  children?: Node[]
  branches?: Node[]
}

const TEXT = 2

function keysOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${path}.${key}`))
}

function sources(ending: RegExp): { name: string; text: string }[] {
  const names = readdirSync(ROOT, { recursive: true }).map(String)
  const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')
  return names.filter((name) => ending.test(name)).map((name) => ({ name, text: read(name) }))
}

/** Words that stand in a template as text or as a fixed attribute that people hear or see. */
function bareWords(node: Node): string[] {
  const said = node.type === TEXT ? String(node.content).trim() : ''
  const attributes = (node.props ?? [])
    .filter((prop) => WORDY.includes(prop.name) && prop.value && WORD.test(prop.value.content))
    .map((prop) => `${prop.name}=${prop.value?.content}`)
  const inner = [...(node.children ?? []), ...(node.branches ?? [])].flatMap(bareWords)
  return [...(WORD.test(said) ? [said] : []), ...attributes, ...inner]
}

describe('the catalogues', () => {
  it('have the same keys', () => {
    expect(keysOf(en).sort()).toEqual(keysOf(zh).sort())
  })
  it('say everything in Chinese in the one and nothing in Chinese in the other, but for marks of the language itself', () => {
    const told = JSON.stringify({ ...en, app: { ...en.app, language: '' }, draft: { ...en.draft, levels: [], placeholder: '' } })
    expect(HAN.test(told)).toBe(false)
  })
})

// The catalogues, and what reads texts that others wrote in Chinese.
const SPEAKERS = /^(words\/(zh|en)|domains\/deadlines\/(notice|hours))\.ts$/

describe('the components', () => {
  it.each(sources(/\.vue$/))('$name holds no bare words in its template', ({ text }) => {
    const template = parse(text).descriptor.template?.ast as unknown as Node
    // <kbd> shows what is printed on a key, in any language.
    expect(bareWords(template).filter((word) => word.length > 1)).toEqual([])
  })
  it.each(sources(/(?<!\.test)\.(vue|ts)$/).filter(({ name }) => !SPEAKERS.test(name)))(
    '$name says nothing in Chinese of its own',
    ({ text }) => {
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|<!--[\s\S]*?-->/gm, '')
      const spoken = code.split('\n').filter((line) => HAN.test(line))
      // The numbers of headings are the subject of their module, not words of the page.
      expect(spoken.filter((line) => !/PATTERNS|DIGITS|TYPED_NUMBER|numberFor|十|、/.test(line))).toEqual([])
    },
  )
})
