import { onScopeDispose } from 'vue'

/** Run when the reader comes back to the page: what nobody tells it of may have changed meanwhile. */
export function onReturn(run: () => void): void {
  const look = () => document.visibilityState === 'visible' && run()
  document.addEventListener('visibilitychange', look)
  window.addEventListener('focus', look)
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', look)
    window.removeEventListener('focus', look)
  })
}
