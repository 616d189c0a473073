/** What a message says, taken apart: words, addresses that lead where they say, and people who are mentioned. */
export interface Piece {
  kind: 'text' | 'link' | 'mention'
  text: string
}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu
const KEPT = /[\n\t\u200c\u200d]/
const ADDRESS = /https?:\/\/[^\s<>"'`\p{Script=Han}\u3000-\u303f\uff00-\uffef]+/giu
const TRAILING = /[.,;:!?)\]}]+$/

/** Without the marks that turn text round or hide in it, which the server refuses. */
export function cleaned(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(HIDDEN, (mark) => (KEPT.test(mark) ? mark : ''))
}

/** An address that cannot be taken for another: no name before the host, and no letters that only look like others. */
function isHonest(address: string): boolean {
  const authority = address.split(/[/?#]/)[2] ?? ''
  try {
    const url = new URL(address)
    return !url.username && !url.password && url.host === authority.toLowerCase().replace(/:(80|443)$/, url.port && ':$1')
  } catch {
    return false
  }
}

function withLinks(text: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const found of text.matchAll(ADDRESS)) {
    const address = found[0].replace(TRAILING, '')
    if (!isHonest(address)) continue
    pieces.push({ kind: 'text', text: text.slice(at, found.index) }, { kind: 'link', text: address })
    at = found.index + address.length
  }
  return [...pieces, { kind: 'text', text: text.slice(at) }]
}

const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** `names` are those of the people whom the message mentions; an @ before any other word is just an @. */
export function piecesOf(text: string, names: string[]): Piece[] {
  const longestFirst = [...names].filter(Boolean).sort((left, right) => right.length - left.length)
  const mention = new RegExp(`(@(?:${longestFirst.map(escaped).join('|')}))`)
  const parts = longestFirst.length ? text.split(mention) : [text]
  const pieces = parts.flatMap((part, n): Piece[] => (n % 2 ? [{ kind: 'mention', text: part }] : withLinks(part)))
  return pieces.filter((piece) => piece.text)
}

/** What stands between the last @ and the caret, where a name is being written; null where none is. */
export function nameBegun(before: string): string | null {
  return /(?:^|[^A-Za-z0-9])@([^\s@]{0,20})$/.exec(before)?.[1] ?? null
}
