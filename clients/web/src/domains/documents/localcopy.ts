/** The copy of a draft that this browser keeps until the server has it: a reload or a lost network loses nothing. */
import type { Draft, Elements } from '@/api/types'

export interface LocalCopy<D> {
  draft: D
  /** What the draft was based on; null for one that the server has never seen. */
  etag: string | null
}

/** `id` is the draft's, or `new`; copies of different people or kinds in one browser never meet. */
export class LocalCopies<D = Draft> {
  constructor(
    private readonly official: string,
    private readonly storage: Storage = localStorage,
    private readonly kind = 'oa-draft',
  ) {}

  read(id: string): LocalCopy<D> | null {
    try {
      return JSON.parse(this.storage.getItem(this.key(id)) ?? 'null') as LocalCopy<D> | null
    } catch {
      return null
    }
  }

  write(id: string, copy: LocalCopy<D>): void {
    this.storage.setItem(this.key(id), JSON.stringify(copy))
  }

  drop(id: string): void {
    this.storage.removeItem(this.key(id))
  }

  private key(id: string): string {
    return `${this.kind}:${this.official}:${id}`
  }
}

export function sameDraft(left: Draft, right: Draft): boolean {
  const sameBody = JSON.stringify(left.body) === JSON.stringify(right.body)
  return sameBody && !differingElements(left.elements, right.elements).length
}

export function differingElements(left: Elements, right: Elements): (keyof Elements)[] {
  const names = Object.keys(left) as (keyof Elements)[]
  return names.filter((name) => JSON.stringify(left[name]) !== JSON.stringify(right[name]))
}

/** A draft as plain text, for keeping it as a file. */
export function asText({ elements, body }: Draft): string {
  const lines = body.content.map((block) =>
    block.type === 'table' ? block.rows.map((row) => row.join('\t')).join('\n') : block.text,
  )
  return [elements.title, '', ...lines].join('\n')
}
