/**
 * One draft being written: kept in this browser with every change, saved to the server when the writer pauses, against
 * the version it is based on. Somebody else's change in between is a conflict that the writer decides; nothing is lost.
 */
import { computed, onScopeDispose, reactive, ref, shallowRef, watch, type Ref } from 'vue'

import { api, newKey, onceAs } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Attachment, Body, Draft, Elements, OutgoingDocument } from '@/api/types'
import { titleOf } from '@/ui/load'

import { EMPTY, hasText } from './editor/body'
import { LocalCopies, sameDraft } from './localcopy'

const SAVE_AFTER_MS = 1500
const RETRY_AFTER_MS = 5000

export type Status = 'new' | 'saved' | 'dirty' | 'saving' | 'failed' | 'conflict'

export function emptyElements(printingOrgan: string): Elements {
  return {
    kind: 'notice', title: '', urgency: 'normal', classification: 'none', classify_years: null, copy_no: '',
    main_recipients: [], copies_to: [], signer_id: null, note: '', publicity: 'on_request', printing_organ: printingOrgan,
    main_recipients_as: '', copies_to_as: '',
  }
}

export function useDraft(firstId: Ref<string>, official: string, organ: string) {
  const copies = new LocalCopies(official)
  const id = ref(firstId.value)
  const elements = reactive<Elements>(emptyElements(organ))
  const body = shallowRef<Body>(EMPTY)
  const document = shallowRef<OutgoingDocument | null>(null)
  const attachments = shallowRef<Attachment[]>([])
  const status = ref<Status>('new')
  const problem = ref('')
  const savedAt = ref<Date | null>(null)
  const restored = ref(false)
  const theirs = shallowRef<OutgoingDocument | null>(null)
  const isNew = computed(() => id.value === 'new')
  const canEdit = computed(() => isNew.value || (document.value?.abilities.some((a) => a.verb === 'edit' && a.allowed) ?? false))
  let etag: string | null = null
  let base: Draft = current()
  let applying = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let saving: Promise<void> | null = null
  // A creation whose answer got lost is sent again as it was, or there would be two drafts; later words come after it.
  let creation: { key: string; draft: Draft } | null = null

  function current(): Draft {
    return { elements: JSON.parse(JSON.stringify(elements)) as Elements, body: body.value }
  }

  function apply(draft: Draft): void {
    applying = true
    Object.assign(elements, draft.elements)
    body.value = draft.body
    applying = false
  }

  async function load(): Promise<void> {
    if (!isNew.value) adopt(await api.get<OutgoingDocument>(`/api/documents/${id.value}`), true)
    const copy = copies.read(id.value)
    if (!copy || sameDraft(copy.draft, current())) return
    const isOutdated = document.value !== null && copy.etag !== etag
    apply(copy.draft)
    restored.value = true
    if (isOutdated) conflictWith(document.value as OutgoingDocument)
    else changed()
  }

  /** Take what the server says now as the base; `show` also puts it on the page. */
  function adopt(said: OutgoingDocument, show: boolean): void {
    document.value = said
    attachments.value = said.attachments
    etag = said.etag
    base = { elements: said.elements, body: said.body }
    status.value = 'saved'
    if (show) apply(base)
  }

  function changed(): void {
    if (applying || !canEdit.value) return
    copies.write(id.value, { draft: current(), etag })
    if (theirs.value) return
    status.value = 'dirty'
    schedule(SAVE_AFTER_MS)
  }

  function schedule(wait: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => void save(), wait)
  }

  /** Save now what is not yet saved; one request at a time. Leaves `status` to tell how it went. */
  async function save(): Promise<void> {
    clearTimeout(timer)
    await saving
    if (status.value !== 'dirty' && status.value !== 'failed') return
    if (isNew.value && !elements.title.trim() && !hasText(body.value)) return
    saving = send(current()).finally(() => (saving = null))
    await saving
  }

  async function send(draft: Draft): Promise<void> {
    status.value = 'saving'
    problem.value = ''
    try {
      const sent = isNew.value ? (creation ??= { key: newKey(), draft }).draft : draft
      const said = await put(sent)
      const before = id.value
      id.value = said.id
      creation = null
      adopt(said, false)
      savedAt.value = new Date()
      copies.drop(before)
      if (!sameDraft(sent, current())) changed()
    } catch (error) {
      await refused(error)
    }
  }

  function put(draft: Draft): Promise<OutgoingDocument> {
    if (creation) return api.post<OutgoingDocument>('/api/documents', draft, { headers: onceAs(creation.key) })
    return api.patch<OutgoingDocument>(`/api/documents/${id.value}`, draft, { 'If-Match': `"${etag ?? ''}"` })
  }

  async function refused(error: unknown): Promise<void> {
    status.value = 'failed'
    problem.value = titleOf(error)
    if (!(error instanceof Problem)) return
    if (error.isUnreachable || error.status >= 500) schedule(RETRY_AFTER_MS)
    else creation = null
    if (error.status !== 412) return
    const now = await api.get<OutgoingDocument>(`/api/documents/${id.value}`)
    // The version moved, but not the text: what was written here simply goes on top of it.
    if (sameDraft({ elements: now.elements, body: now.body }, base)) {
      etag = now.etag
      schedule(0)
    } else conflictWith(now)
  }

  function conflictWith(now: OutgoingDocument): void {
    theirs.value = now
    status.value = 'conflict'
  }

  function keepMine(): void {
    etag = theirs.value?.etag ?? etag
    theirs.value = null
    status.value = 'dirty'
    void save()
  }

  function takeTheirs(): void {
    const now = theirs.value
    theirs.value = null
    if (now) adopt(now, true)
    copies.drop(id.value)
  }

  /** The id of the document, saving it first if the server does not know it yet: attachments need one. */
  async function ensureId(): Promise<string> {
    if (isNew.value) {
      saving ??= send(current()).finally(() => (saving = null))
      await saving
    }
    if (isNew.value) throw new Problem(0, 'draft.unsaved', problem.value)
    return id.value
  }

  async function refreshAttachments(): Promise<void> {
    attachments.value = (await api.get<OutgoingDocument>(`/api/documents/${id.value}`)).attachments
  }

  watch([elements, body], changed, { flush: 'sync' })
  onScopeDispose(() => {
    clearTimeout(timer)
    if (status.value === 'dirty') void save()
  })

  return {
    id, elements, body, document, attachments, status, problem, savedAt, restored, theirs, isNew, canEdit,
    load, save, current, keepMine, takeTheirs, ensureId, refreshAttachments,
  }
}
