/** What the text of a document can be made of: paragraphs, four levels of headings, plain tables; no styling. */
import { Extension, InputRule, type Extensions } from '@tiptap/core'
import { Document } from '@tiptap/extension-document'
import { Heading } from '@tiptap/extension-heading'
import { Paragraph } from '@tiptap/extension-paragraph'
import { Table, TableKit, TableView } from '@tiptap/extension-table'
import { Text } from '@tiptap/extension-text'
import { Gapcursor, Placeholder, UndoRedo } from '@tiptap/extensions'
import { Fragment, Slice, type Node, type Schema } from '@tiptap/pm/model'
import { Plugin } from '@tiptap/pm/state'

import { isHeading, levelOf, TYPED_NUMBER } from './numbering'

/** A number typed at the beginning of a paragraph makes it a heading of that level. */
const NumberedHeading = Heading.extend({
  addInputRules() {
    return [
      new InputRule({
        find: TYPED_NUMBER,
        handler: ({ state, range, match }) => {
          const level = levelOf(match[0])
          if (state.doc.resolve(range.from).parent.type.name !== 'paragraph' || inTable(state.doc, range.from)) return
          state.tr.insertText(match[0], range.from, range.to).setBlockType(range.from, range.from, this.type, { level })
        },
      }),
    ]
  },
}).configure({ levels: [1, 2, 3, 4] })

function inTable(doc: Node, position: number): boolean {
  return doc.resolve(position).depth > 1
}

/** The view of a table follows its turning; the library's own would show for ever what it was made with. */
class TurnableView extends TableView {
  override update(node: Node): boolean {
    this.table.toggleAttribute('data-landscape', node.attrs.landscape === true)
    return super.update(node)
  }
}

/** A table may lie turned on pages of its own (横排); copied and pasted, it still does. */
const TurnableTable = Table.extend({
  addAttributes() {
    return {
      ...this.parent?.(),
      landscape: {
        default: false,
        parseHTML: (element) => element.hasAttribute('data-landscape'),
        renderHTML: (attributes) => (attributes.landscape ? { 'data-landscape': '' } : {}),
      },
    }
  },
}).configure({ resizable: false, View: TurnableView })

/** Pasted paragraphs that look like headings become headings. */
const PastedHeadings = Extension.create({
  name: 'pastedHeadings',
  addProseMirrorPlugins() {
    const transformPasted = (slice: Slice) => {
      const nodes = slice.content.content.map((node) => promoted(node, this.editor.schema))
      return new Slice(Fragment.from(nodes), slice.openStart, slice.openEnd)
    }
    return [new Plugin({ props: { transformPasted } })]
  },
})

function promoted(node: Node, schema: Schema): Node {
  if (node.type.name !== 'paragraph' || !isHeading(node.textContent)) return node
  return schema.nodes.heading?.create({ level: levelOf(node.textContent) }, node.content) ?? node
}

export function extensions(placeholder: string): Extensions {
  return [
    Document,
    Paragraph,
    Text,
    NumberedHeading,
    TableKit.configure({ table: false, tableCell: {}, tableHeader: {}, tableRow: {} }),
    TurnableTable,
    UndoRedo,
    Gapcursor,
    PastedHeadings,
    Placeholder.configure({ placeholder }),
  ]
}
