/** The body of a document in two forms: the blocks that the server keeps, and the tree that the editor works on. */
import type { JSONContent } from '@tiptap/core'

import type { Block, Body, Table } from '@/api/types'

export const EMPTY: Body = { type: 'doc', content: [{ type: 'paragraph', text: '' }] }

export function toEditor(body: Body): JSONContent {
  const blocks = body.content.length ? body.content : EMPTY.content
  return { type: 'doc', content: blocks.map(blockToEditor) }
}

function blockToEditor(block: Block): JSONContent {
  if (block.type === 'table') return tableToEditor(block)
  if (block.type === 'heading') return { type: 'heading', attrs: { level: block.level }, content: inline(block.text) }
  return { type: 'paragraph', content: inline(block.text) }
}

function tableToEditor(table: Table): JSONContent {
  const cell = (text: string, isHeader: boolean) => ({
    type: isHeader ? 'tableHeader' : 'tableCell',
    content: text.split('\n').map((line) => ({ type: 'paragraph', content: inline(line) })),
  })
  const rows = table.rows.map((row, index) => ({
    type: 'tableRow',
    content: row.map((text) => cell(text, table.header && index === 0)),
  }))
  return { type: 'table', attrs: { landscape: table.landscape ?? false }, content: rows }
}

function inline(text: string): JSONContent[] {
  return text ? [{ type: 'text', text }] : []
}

export function fromEditor(doc: JSONContent): Body {
  return { type: 'doc', content: (doc.content ?? []).map(blockFromEditor) }
}

function blockFromEditor(node: JSONContent): Block {
  if (node.type === 'table') return tableFromEditor(node)
  if (node.type === 'heading') return { type: 'heading', level: Number(node.attrs?.level ?? 1), text: textOf(node) }
  return { type: 'paragraph', text: textOf(node) }
}

/** Rows are filled up to the widest one: merged cells that were pasted in come apart. */
function tableFromEditor(node: JSONContent): Table {
  const rows = (node.content ?? []).map((row) => (row.content ?? []).map(cellText))
  const width = Math.max(1, ...rows.map((row) => row.length))
  const filled = rows.map((row) => [...row, ...Array<string>(width - row.length).fill('')])
  const first = node.content?.[0]?.content ?? []
  const header = first.length > 0 && first.every((cell) => cell.type === 'tableHeader')
  return { type: 'table', rows: filled, header, ...(node.attrs?.landscape ? { landscape: true } : {}) }
}

function cellText(cell: JSONContent): string {
  return (cell.content ?? []).map(textOf).join('\n')
}

function textOf(node: JSONContent): string {
  return (node.content ?? []).map((child) => child.text ?? '').join('')
}

export function hasText(body: Body): boolean {
  return body.content.some((block) => block.type === 'table' || block.text.trim() !== '')
}
