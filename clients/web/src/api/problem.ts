/** Refusals of the server (RFC 9457), and the one problem that has no answer at all: nobody was reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly facts: Record<string, unknown> = {},
  ) {
    super(title)
  }

  get isUnreachable(): boolean {
    return this.status === 0
  }
}

export async function problemOf(response: Response, fallback: string): Promise<Problem> {
  const said = (await response.json().catch(() => ({}))) as Partial<Problem>
  return new Problem(response.status, said.code ?? `http.${response.status}`, said.title ?? fallback, said.facts)
}
