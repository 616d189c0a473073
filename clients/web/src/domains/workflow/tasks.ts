/** Where a task is handled, and which one comes next. */
import { api } from '@/api/client'
import type { Page, Task } from '@/api/types'

export function pathOf(task: Pick<Task, 'subject_type' | 'subject_id' | 'step'>): string {
  if (task.subject_type === 'incoming') return `/incoming/${task.subject_id}`
  return `/outgoing/${task.subject_id}${task.step === 'draft' ? '/edit' : ''}`
}

/** The next task to do that is not about `doneId`, or null when there is none. */
export async function nextTask(doneId: string): Promise<Task | null> {
  const { items } = await api.get<Page<Task>>('/api/tasks', { tab: 'todo', limit: 10 })
  return items.find((task) => task.subject_id !== doneId) ?? null
}
