import { describe, expect, it } from 'vitest'

import type { Task } from '@/api/types'

import { pathOf, sorted } from './tasks'

const task = (id: string, urgency: string, due_at: string | null) => ({ id, urgency, due_at }) as Task
const LIST = [task('a', 'normal', null), task('b', 'extra_urgent', '2026-03-05T08:00:00Z'), task('c', 'normal', '2026-03-04T08:00:00Z')]

describe('sorted', () => {
  const ids = (tasks: Task[]) => tasks.map((one) => one.id).join('')
  it('puts the nearest time limit first and those without one last', () => {
    expect(ids(sorted(LIST, 'due_at'))).toBe('cba')
  })
  it('puts the most urgent first and keeps equals in order', () => {
    expect(ids(sorted(LIST, 'urgency'))).toBe('bac')
  })
  it('leaves the order of arrival to the server', () => {
    expect(ids(sorted(LIST, 'opened_at'))).toBe('abc')
  })
})

describe('pathOf', () => {
  it('opens a draft where it is written and everything else where it is read', () => {
    expect(pathOf({ subject_type: 'outgoing', subject_id: '1', step: 'draft' })).toBe('/outgoing/1/edit')
    expect(pathOf({ subject_type: 'outgoing', subject_id: '1', step: 'signing' })).toBe('/outgoing/1')
    expect(pathOf({ subject_type: 'incoming', subject_id: '1', step: 'register' })).toBe('/incoming/1')
  })
})
