/** Where one can go: the pages of the navigation, and who sees each. Its first one is where a session begins. */
import {
  Bell, Calendar, ChatDotRound, ChatLineSquare, Checked, Collection, Connection, CreditCard, DataLine, Files, Finished,
  Message, Monitor, Postcard, Promotion, Reading, Setting, Stamp, Tickets, User,
} from '@element-plus/icons-vue'
import type { Component } from 'vue'

import type { Words } from '@/words'

/** The three who run the system do no document work: they see pages of their own. */
export const ADMINISTRATORS = ['system_admin', 'security_admin', 'audit_admin']
/** Whoever is no administrator. */
const OFFICIAL = 'official'
/** Whoever sees what their organ has been given to handle. */
const HANDLER = 'handler'
const HANDLERS = ['clerk', 'office_reviewer', 'leader', 'unit_head']
const REGISTRARS = ['system_admin', 'security_admin']

export interface Place {
  to: string
  word: (words: Words) => string
  icon: Component
  /** Who sees it; without any, everybody. */
  roles?: string[]
  /** The number that it shows: of the session's counts, or of the messages that are unread. */
  count?: string
}

const PLACES: Place[] = [
  { to: '/tasks', word: (w) => w.app.tasks, icon: Bell, roles: [OFFICIAL], count: 'todo' },
  { to: '/outgoing', word: (w) => w.app.outgoing, icon: Promotion, roles: [OFFICIAL] },
  { to: '/incoming', word: (w) => w.app.incoming, icon: Message, roles: [OFFICIAL], count: 'incoming' },
  { to: '/proposals', word: (w) => w.app.proposals, icon: ChatLineSquare, roles: [OFFICIAL] },
  { to: '/assignments', word: (w) => w.app.assignments, icon: Finished, roles: [HANDLER] },
  { to: '/published', word: (w) => w.app.published, icon: Reading, roles: [OFFICIAL] },
  { to: '/admin/overview', word: (w) => w.app.overview, icon: DataLine, roles: REGISTRARS },
  { to: '/admin/devices', word: (w) => w.app.devices, icon: CreditCard, roles: REGISTRARS },
  { to: '/admin/requests', word: (w) => w.app.requests, icon: Tickets, roles: REGISTRARS },
  { to: '/admin/certificates', word: (w) => w.app.certificates, icon: Postcard, roles: REGISTRARS },
  { to: '/seals', word: (w) => w.app.seals, icon: Checked, roles: [...REGISTRARS, 'seal_keeper'] },
  { to: '/admin/systems', word: (w) => w.app.systems, icon: Connection, roles: REGISTRARS },
  { to: '/admin/sessions', word: (w) => w.app.sessions, icon: Monitor, roles: REGISTRARS },
  { to: '/admin/audit', word: (w) => w.app.audit, icon: Files, roles: ['audit_admin'] },
  { to: '/sittings', word: (w) => w.app.sittings, icon: Collection, roles: ['system_admin'] },
  { to: '/messages', word: (w) => w.app.messages, icon: ChatDotRound, count: 'messages' },
  { to: '/organs', word: (w) => w.app.directory, icon: User },
  { to: '/calendar', word: (w) => w.app.calendar, icon: Calendar },
  { to: '/admin/settings', word: (w) => w.app.settings, icon: Setting, roles: REGISTRARS },
  { to: '/verify', word: (w) => w.app.verify, icon: Stamp, roles: [OFFICIAL, 'audit_admin'] },
]

export function isAdministrator(roles: string[]): boolean {
  return roles.some((role) => ADMINISTRATORS.includes(role))
}

export function placesFor(roles: string[]): Place[] {
  const handler = roles.some((role) => HANDLERS.includes(role)) ? [HANDLER] : []
  const held = isAdministrator(roles) ? roles : [OFFICIAL, ...handler, ...roles]
  return PLACES.filter((place) => !place.roles || place.roles.some((role) => held.includes(role)))
}

export function homeFor(roles: string[]): string {
  return placesFor(roles)[0]?.to ?? '/organs'
}
