/** The pages and who may see them; everything but the sign-in page needs a session. */
import { ElMessage } from 'element-plus'
import 'element-plus/es/components/message/style/css'
import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'

import { api } from './api/client'
import { useSession } from './domains/identity/session'
import { titleOf } from './ui/load'
import { homeFor } from './ui/places'
import type { Words } from './words'

declare module 'vue-router' {
  interface RouteMeta {
    title?: (words: Words) => string
    /** No session is needed. */
    open?: boolean
    /** Whoever has a session may see it all the same. */
    anybody?: boolean
    /** It has the whole screen, without the frame. */
    bare?: boolean
    /** Two addresses with the same key share one component instance. */
    key?: (route: RouteLocationNormalized) => string
  }
}

const byId = (route: RouteLocationNormalized) => `${String(route.name)} ${String(route.params.id)}`

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    {
      path: '/sign-in',
      component: () => import('./domains/identity/SignInPage.vue'),
      meta: { open: true, title: (w) => w.signIn.title },
    },
    {
      path: '/enrol',
      component: () => import('./domains/pki/FirstKeysPage.vue'),
      meta: { open: true, title: (w) => w.pki.firstKeys.title },
    },
    {
      path: '/judge',
      component: () => import('./domains/proposals/JudgePage.vue'),
      meta: { open: true, anybody: true, title: (w) => w.proposals.judging.title },
    },
    // Everybody's own first page, which is not known before the session is.
    { path: '/', component: () => import('./ui/NotFoundPage.vue') },
    {
      path: '/tasks',
      component: () => import('./domains/workflow/TasksPage.vue'),
      meta: { title: (w) => w.tasks.title },
    },
    {
      path: '/outgoing',
      component: () => import('./domains/documents/OutgoingListPage.vue'),
      meta: { title: (w) => w.documents.outgoingTitle },
    },
    {
      // A new draft gets its id with its first save; the page stays as it is while the address changes.
      path: '/outgoing/:id/edit',
      name: 'draft',
      component: () => import('./domains/documents/DraftPage.vue'),
      meta: { title: (w) => w.draft.newTitle, key: () => 'draft' },
    },
    {
      path: '/outgoing/:id',
      name: 'outgoing',
      component: () => import('./domains/documents/OutgoingPage.vue'),
      meta: { title: (w) => w.app.outgoing, key: byId },
    },
    {
      path: '/outgoing/:id/confirm/:verb(sign|seal|dispatch)',
      name: 'confirm',
      component: () => import('./domains/documents/ConfirmPage.vue'),
      meta: { title: (w) => w.app.outgoing, key: byId },
    },
    {
      path: '/outgoing/:id/receipts',
      name: 'receipts',
      component: () => import('./domains/documents/ReceiptsPage.vue'),
      meta: { title: (w) => w.receipts.title, key: byId },
    },
    {
      path: '/incoming',
      component: () => import('./domains/documents/IncomingListPage.vue'),
      meta: { title: (w) => w.incoming.title },
    },
    {
      path: '/incoming/:id',
      name: 'incoming',
      component: () => import('./domains/documents/IncomingPage.vue'),
      meta: { title: (w) => w.app.incoming, key: byId },
    },
    {
      path: '/proposals',
      component: () => import('./domains/proposals/ProposalListPage.vue'),
      meta: { title: (w) => w.proposals.title },
    },
    {
      // A new draft gets its id with its first save; the page stays as it is while the address changes.
      path: '/proposals/new',
      component: () => import('./domains/proposals/DraftPage.vue'),
      meta: { title: (w) => w.proposals.edit.newTitle, key: () => 'proposal draft' },
    },
    {
      path: '/proposals/dispatch',
      component: () => import('./domains/proposals/DispatchPage.vue'),
      meta: { title: (w) => w.proposals.dispatching.title },
    },
    {
      path: '/proposals/figures',
      component: () => import('./domains/proposals/FiguresPage.vue'),
      meta: { title: (w) => w.proposalFigures.title },
    },
    {
      path: '/proposals/board',
      component: () => import('./domains/proposals/WallPage.vue'),
      meta: { bare: true, title: (w) => w.proposalFigures.wallTitle },
    },
    {
      path: '/proposals/:id/edit',
      component: () => import('./domains/proposals/DraftPage.vue'),
      meta: { title: (w) => w.proposals.edit.editTitle, key: () => 'proposal draft' },
    },
    {
      path: '/proposals/:id',
      name: 'proposal',
      component: () => import('./domains/proposals/ProposalPage.vue'),
      meta: { title: (w) => w.proposals.one, key: byId },
    },
    {
      path: '/published',
      component: () => import('./domains/proposals/PublishedListPage.vue'),
      meta: { title: (w) => w.proposals.published.title },
    },
    {
      path: '/published/:id',
      component: () => import('./domains/proposals/PublishedPage.vue'),
      meta: { title: (w) => w.proposals.published.title, key: byId },
    },
    {
      path: '/assignments',
      component: () => import('./domains/proposals/AssignmentListPage.vue'),
      meta: { title: (w) => w.proposals.assignments.title },
    },
    {
      path: '/sittings',
      component: () => import('./domains/proposals/SittingListPage.vue'),
      meta: { title: (w) => w.proposals.sittings.title },
    },
    {
      path: '/sittings/:id',
      name: 'sitting',
      component: () => import('./domains/proposals/SittingPage.vue'),
      meta: { title: (w) => w.proposals.sittings.title, key: byId },
    },
    {
      path: '/sittings/:id/import',
      component: () => import('./domains/proposals/ImportPage.vue'),
      meta: { title: (w) => w.proposals.imports.title, key: byId },
    },
    {
      path: '/admin/overview',
      component: () => import('./domains/pki/OverviewPage.vue'),
      meta: { title: (w) => w.pki.overview.title },
    },
    {
      path: '/admin/devices',
      component: () => import('./domains/pki/DeviceListPage.vue'),
      meta: { title: (w) => w.pki.devices.title },
    },
    {
      path: '/admin/devices/:id',
      name: 'device',
      component: () => import('./domains/pki/DevicePage.vue'),
      meta: { title: (w) => w.pki.devices.one, key: byId },
    },
    {
      path: '/admin/requests',
      component: () => import('./domains/pki/RequestListPage.vue'),
      meta: { title: (w) => w.pki.requests.title },
    },
    {
      path: '/admin/requests/:id',
      name: 'request',
      component: () => import('./domains/pki/RequestPage.vue'),
      meta: { title: (w) => w.pki.requests.one, key: byId },
    },
    {
      path: '/admin/certificates',
      component: () => import('./domains/pki/CertificateListPage.vue'),
      meta: { title: (w) => w.pki.certificates.title },
    },
    {
      path: '/admin/certificates/:id',
      name: 'certificate',
      component: () => import('./domains/pki/CertificatePage.vue'),
      meta: { title: (w) => w.pki.certificates.one, key: byId },
    },
    {
      // What is chosen stands in the address, so the page can be left and opened again.
      path: '/admin/requests/new',
      component: () => import('./domains/pki/EnrolmentPage.vue'),
      meta: { title: (w) => w.pki.enrolment.title },
    },
    {
      path: '/admin/rolls',
      component: () => import('./domains/pki/RollPage.vue'),
      meta: { title: (w) => w.pki.roll.title },
    },
    {
      path: '/admin/audit',
      component: () => import('./domains/audit/AuditPage.vue'),
      meta: { title: (w) => w.admin.audit.title },
    },
    {
      path: '/admin/audit/:id',
      name: 'audit',
      component: () => import('./domains/audit/RecordPage.vue'),
      meta: { title: (w) => w.admin.audit.one, key: byId },
    },
    {
      path: '/admin/sessions',
      component: () => import('./domains/identity/SessionListPage.vue'),
      meta: { title: (w) => w.admin.sessions.title },
    },
    {
      path: '/admin/systems',
      component: () => import('./domains/departments/SystemListPage.vue'),
      meta: { title: (w) => w.admin.systems.title },
    },
    {
      path: '/admin/systems/:id',
      name: 'system',
      component: () => import('./domains/departments/SystemPage.vue'),
      meta: { title: (w) => w.admin.systems.one, key: byId },
    },
    {
      path: '/seals',
      component: () => import('./domains/signing/SealListPage.vue'),
      meta: { title: (w) => w.admin.seals.title },
    },
    {
      path: '/seals/:id',
      name: 'seal',
      component: () => import('./domains/signing/SealPage.vue'),
      meta: { title: (w) => w.admin.seals.one, key: byId },
    },
    {
      path: '/certificates/:id/uses',
      name: 'uses',
      component: () => import('./domains/signing/UsesPage.vue'),
      meta: { title: (w) => w.admin.uses.title, key: byId },
    },
    {
      path: '/organs/:id?',
      component: () => import('./domains/identity/DirectoryPage.vue'),
      meta: { title: (w) => w.directory.title },
    },
    {
      path: '/duties',
      component: () => import('./domains/identity/DutyPage.vue'),
      meta: { title: (w) => w.duties.title },
    },
    {
      path: '/calendar',
      component: () => import('./domains/deadlines/CalendarPage.vue'),
      meta: { title: (w) => w.calendar.title },
    },
    {
      path: '/admin/import',
      component: () => import('./domains/identity/ImportPage.vue'),
      props: { kept: '/api/directory', of: 'directory', from: '/organs' },
      meta: { title: (w) => w.keeping.sheetsOf.directory.title },
    },
    {
      path: '/admin/roles',
      component: () => import('./domains/identity/RolesPage.vue'),
      meta: { title: (w) => w.keeping.changes.title },
    },
    {
      path: '/admin/settings',
      component: () => import('./domains/installation/SettingsPage.vue'),
      meta: { title: (w) => w.settings.title },
    },
    {
      path: '/admin/settings/import',
      component: () => import('./domains/identity/ImportPage.vue'),
      props: { kept: '/api/settings', of: 'settings', from: '/admin/settings' },
      meta: { title: (w) => w.keeping.sheetsOf.settings.title },
    },
    {
      // The list stays as it is while one goes from thread to thread.
      path: '/messages/:id?',
      component: () => import('./domains/messaging/MessagesPage.vue'),
      meta: { title: (w) => w.messages.title, key: () => 'messages' },
    },
    {
      path: '/verify',
      component: () => import('./domains/signing/VerifyPage.vue'),
      meta: { title: (w) => w.verify.title },
    },
    {
      path: '/:rest(.*)*',
      component: () => import('./ui/NotFoundPage.vue'),
      meta: { title: (w) => w.app.notFound },
    },
  ],
})

router.beforeEach(async (to) => {
  const store = useSession()
  await store.loadAbout().catch(() => undefined)
  const isIn = store.session !== null || (await store.restore().catch(() => false))
  if (!to.meta.open && !isIn) return { path: '/sign-in', query: { next: to.fullPath } }
  if (isIn && ((to.meta.open && !to.meta.anybody) || to.path === '/')) return homeFor(store.session?.roles ?? [])
  return true
})

// The code of a page could not be read: either nobody answers, or the server has a newer client, which a reload brings.
router.onError(async (_error, to) => {
  try {
    await api.get('/api/about')
    location.assign(to.fullPath)
  } catch (error) {
    ElMessage.error(titleOf(error))
  }
})
