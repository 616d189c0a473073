/** Reading a list of members as it is pasted from a sheet: one line each, parted by tabs, or by commas. */
export interface PastedMember {
  code: string
  name: string
  delegation: string
  party: string
  employer: string
  duty: string
  phone: string
  address: string
}

const COLUMNS = ['code', 'name', 'delegation', 'party', 'employer', 'duty', 'phone', 'address'] as const

export interface Pasted {
  members: PastedMember[]
  /** Lines, counted from one, that name nobody. */
  wrong: number[]
}

export function readMembers(text: string): Pasted {
  const found: Pasted = { members: [], wrong: [] }
  text.split('\n').forEach((line, index) => {
    if (!line.trim()) return
    const cells = line.split(line.includes('\t') ? '\t' : /[,，]/).map((cell) => cell.trim())
    const member = Object.fromEntries(COLUMNS.map((name, at) => [name, cells[at] ?? ''])) as unknown as PastedMember
    if (member.code && member.name) found.members.push(member)
    else found.wrong.push(index + 1)
  })
  return found
}
