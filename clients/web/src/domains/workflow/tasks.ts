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

export type Order = 'opened_at' | 'due_at' | 'urgency'

const URGENCY = ['extra_urgent', 'urgent', 'normal']

/** The tasks in another order; the server keeps the newest first, and equals stay as they were. */
export function sorted(tasks: Task[], order: Order): Task[] {
  if (order === 'due_at') return [...tasks].sort((a, b) => (a.due_at ?? '9').localeCompare(b.due_at ?? '9'))
  if (order === 'urgency') return [...tasks].sort((a, b) => URGENCY.indexOf(a.urgency) - URGENCY.indexOf(b.urgency))
  return tasks
}
