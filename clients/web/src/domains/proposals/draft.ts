/**
 * One proposal being written: kept in this browser with every change, saved to the server when the writer says so,
 * against the version that it is based on. Somebody else's change in between is a conflict that the writer decides.
 */
import { computed, reactive, ref, shallowRef, watch } from 'vue'

import { api, newKey, onceAs } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Member, Proposal, ProposalElements } from '@/api/proposals'
import { LocalCopies } from '@/domains/documents/localcopy'
import { titleOf } from '@/ui/load'

export interface CaseDraft {
  elements: ProposalElements
  members: Member[]
}

/** What a member may choose a form for: who stands alone is no group, and a group is more than one. */
export function formFor(form: string, members: number): string {
  if (form === 'individual' && members > 1) return 'joint'
  return form === 'joint' && members < 2 ? 'individual' : form
}

export function emptyDraft(kind: string, own: Member | null): CaseDraft {
  const elements = {
    kind, form: 'individual', title: '', occasion: 'session', category: '', subcategory: '', situation: '', analysis: '',
    request: '', is_public: true, wished_organs: '',
  }
  return { elements, members: own ? [own] : [] }
}

export function sameDraft(left: CaseDraft, right: CaseDraft): boolean {
  return !differing(left, right).length
}

/** By what two drafts differ: names of elements, or `members`. */
export function differing(left: CaseDraft, right: CaseDraft): string[] {
  const names = Object.keys(left.elements) as (keyof ProposalElements)[]
  const found: string[] = names.filter((name) => left.elements[name] !== right.elements[name])
  const idsOf = ({ members }: CaseDraft) => members.map((one) => one.id).join()
  return idsOf(left) === idsOf(right) ? found : [...found, 'members']
}

function draftOf(found: Proposal): CaseDraft {
  return { elements: found.elements, members: found.proposers.map((one) => one.member) }
}

export function useCaseDraft(firstId: string, official: string, sitting: () => string) {
  const copies = new LocalCopies<CaseDraft>(official, localStorage, 'oa-proposal')
  const id = ref(firstId)
  const draft = reactive<CaseDraft>(emptyDraft('', null))
  const found = shallowRef<Proposal | null>(null)
  const theirs = shallowRef<Proposal | null>(null)
  const busy = ref(false)
  const problem = ref('')
  const restored = ref(false)
  const base = shallowRef<CaseDraft>(emptyDraft('', null))
  const isNew = computed(() => id.value === 'new')
  const isChanged = computed(() => !sameDraft(draft, base.value))
  const canEdit = computed(() => isNew.value || (found.value?.abilities.some((a) => a.verb === 'edit' && a.allowed) ?? false))
  let etag: string | null = null
  // A creation whose answer got lost is sent again as it was, or there would be two drafts.
  let key = newKey()

  function current(): CaseDraft {
    return JSON.parse(JSON.stringify(draft)) as CaseDraft
  }

  function show(shown: CaseDraft): void {
    Object.assign(draft, JSON.parse(JSON.stringify(shown)) as CaseDraft)
  }

  /** Begin an empty one, or read what there is; then take up what this browser has kept of it. */
  async function load(kind: string, own: Member | null): Promise<void> {
    if (isNew.value) {
      base.value = emptyDraft(kind, own)
      show(base.value)
    } else adopt(await api.get<Proposal>(`/api/proposals/${id.value}`))
    const copy = copies.read(id.value)
    if (!copy || sameDraft(copy.draft, draft) || !canEdit.value) return
    show(copy.draft)
    restored.value = true
    if (copy.etag !== etag) theirs.value = found.value
  }

  /** Take what the server says now as the base; `shows` also puts it on the page. */
  function adopt(said: Proposal, shows = true): void {
    found.value = said
    etag = said.etag
    base.value = draftOf(said)
    if (shows) show(base.value)
  }

  /** Returns whether it is saved. */
  async function save(): Promise<boolean> {
    if (busy.value || theirs.value) return false
    busy.value = true
    problem.value = ''
    try {
      const before = id.value
      const sent = current()
      const said = await send(sent)
      id.value = said.id
      copies.drop(before)
      // What was typed meanwhile stays, and waits to be saved.
      adopt(said, sameDraft(sent, draft))
      restored.value = false
      return true
    } catch (error) {
      await refused(error)
      return false
    } finally {
      busy.value = false
    }
  }

  function send({ elements, members }: CaseDraft): Promise<Proposal> {
    const body = { elements, members: members.map((one) => one.id) }
    if (!isNew.value) return api.patch<Proposal>(`/api/proposals/${id.value}`, body, { 'If-Match': `"${etag ?? ''}"` })
    return api.post<Proposal>('/api/proposals', { sitting_id: sitting(), ...body }, { headers: onceAs(key) })
  }

  async function refused(error: unknown): Promise<void> {
    problem.value = titleOf(error)
    if (!(error instanceof Problem) || error.isUnreachable || error.status >= 500) return
    key = newKey()
    if (error.status !== 412) return
    const now = await api.get<Proposal>(`/api/proposals/${id.value}`)
    problem.value = ''
    // A co-signer's consent moves the version, but not the text: what was written here goes on top of it.
    if (sameDraft(draftOf(now), base.value)) {
      etag = now.etag
      busy.value = false
      await save()
    } else theirs.value = now
  }

  async function keepMine(): Promise<void> {
    etag = theirs.value?.etag ?? etag
    theirs.value = null
    await save()
  }

  function takeTheirs(): void {
    const now = theirs.value
    theirs.value = null
    if (now) adopt(now)
    copies.drop(id.value)
  }

  watch(draft, () => {
    if (!canEdit.value) return
    if (isChanged.value) copies.write(id.value, { draft: current(), etag })
    else copies.drop(id.value)
  })

  return {
    id, draft, found, theirs, busy, problem, restored, isNew, isChanged, canEdit, load, save, current, keepMine,
    takeTheirs,
  }
}

/** A draft as plain text, for keeping it as a file; `titles` are those of the three parts. */
export function asText({ elements }: CaseDraft, titles: Record<string, string>): string {
  const { title, situation, analysis, request } = elements
  const parts = { situation, analysis, request }
  return [title, ...Object.entries(parts).map(([name, text]) => `${titles[name] ?? name}\n${text}`)].join('\n\n')
}
