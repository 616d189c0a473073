/** Notices of the browser that somebody wrote: who, and nothing of what, for the screen may be seen by others. */
import { ref } from 'vue'

import type { Message } from '@/api/messaging'
import { router } from '@/router'
import { currentWords } from '@/words'

const isThere = () => 'Notification' in window

export const permission = ref(isThere() ? Notification.permission : 'denied')

export async function askToNotify(): Promise<void> {
  if (isThere()) permission.value = await Notification.requestPermission()
}

export function announce({ sender, conversation_id: id }: Message): void {
  if (!isThere() || Notification.permission !== 'granted') return
  // One notice for a conversation; the next replaces it.
  const notice = new Notification(sender, { body: currentWords().messages.news, tag: id })
  notice.onclick = () => {
    window.focus()
    void router.push(`/messages/${id}`)
    notice.close()
  }
}
