/**
 * The keyboard layer: pages register what their keys do, the help overlay lists what is registered. Single letters do
 * nothing while somebody types, and can be switched off altogether (WCAG 2.1.4).
 */
import { onScopeDispose, shallowReactive } from 'vue'

import type { Words } from '@/words'

import { usePrefs } from './prefs'

export interface Binding {
  /** As pressed: `j`, `?`, `Enter`, `Ctrl+Enter`. */
  key: string
  label: (words: Words) => string
  run: () => void
  /** Works in dialogs and while typing, too. */
  anywhere?: boolean
  everywhere?: boolean
}

export const bindings = shallowReactive<Binding[]>([])

export function useKeys(...added: Binding[]): void {
  bindings.push(...added)
  onScopeDispose(() => added.forEach((one) => bindings.splice(bindings.indexOf(one), 1)))
}

export function nameOf(event: KeyboardEvent): string {
  return `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`
}

const TYPING = 'input, textarea, select, [contenteditable="true"], [role="listbox"], [role="combobox"]'
const MODAL = '[aria-modal="true"]'
const PRESSABLE = 'a, button, summary, [role="button"], [role="tab"], [role="checkbox"], [role="radio"]'

let isCovered = false

/** A dialog that is fading away has been closed and takes no keys. */
function isOpen(element: Element): boolean {
  return element.getClientRects().length > 0 && !element.closest('[class*="-leave-active"]')
}

/** What a key closes is gone when the key comes up to the page, so what covers it is looked at on the way down. */
function look(event: KeyboardEvent): void {
  // Escape first closes what floats; only then does it leave the page.
  const floating = nameOf(event) === 'Escape' ? `${MODAL}, .el-popper` : MODAL
  isCovered = [...document.querySelectorAll(floating)].some(isOpen)
}

function press(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return
  const key = nameOf(event)
  const target = event.target instanceof Element ? event.target : document.body
  const isBusy = isCovered || target.closest(TYPING) !== null
  if (key === 'Escape' && target instanceof HTMLInputElement) return target.blur()
  if (key === 'Enter' && target.closest(PRESSABLE)) return
  if (key.length === 1 && !usePrefs().keys) return
  const found = [...bindings].reverse().find((one) => one.key === key && (one.anywhere || !isBusy))
  if (!found) return
  event.preventDefault()
  found.run()
}

export function listenForKeys(): void {
  window.addEventListener('keydown', look, true)
  window.addEventListener('keydown', press)
}

/** `/` goes to the search field of the page. */
export function focusOn(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.focus()
}
