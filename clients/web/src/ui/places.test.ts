import { describe, expect, it } from 'vitest'

import { homeFor, placesFor } from './places'

const seen = (...roles: string[]) => placesFor(roles).map(({ to }) => to)

describe('the navigation', () => {
  it('gives officials the pages of document work and nothing of the administration', () => {
    expect(seen()).toEqual(['/tasks', '/outgoing', '/incoming', '/proposals', '/published', '/messages', '/organs', '/calendar', '/verify'])
    expect(seen('seal_keeper')).not.toContain('/assignments')
    expect(homeFor([])).toBe('/tasks')
  })
  it('gives who handles what an organ is given the list of it', () => {
    for (const role of ['clerk', 'office_reviewer', 'leader', 'unit_head']) {
      expect(seen(role)).toEqual(['/tasks', '/outgoing', '/incoming', '/proposals', '/assignments', '/published', '/messages', '/organs', '/calendar', '/verify'])
    }
  })
  it('gives the two who keep the register its pages, and no document work even beside other roles', () => {
    for (const role of ['system_admin', 'security_admin']) {
      expect(seen(role, 'clerk')).toEqual([
        '/admin/overview', '/admin/devices', '/admin/requests', '/admin/certificates', '/seals', '/admin/systems', '/admin/sessions',
        ...(role === 'system_admin' ? ['/sittings'] : []), '/messages', '/organs', '/calendar', '/admin/settings',
      ])
      expect(homeFor([role])).toBe('/admin/overview')
    }
  })
  it('shows the auditor nothing of the register, which refuses them, and no document work', () => {
    expect(seen('audit_admin')).toEqual(['/admin/audit', '/messages', '/organs', '/calendar', '/verify'])
    expect(homeFor(['audit_admin'])).toBe('/admin/audit')
  })
  it('shows an official who keeps a seal the seals beside the document work', () => {
    expect(seen('clerk', 'seal_keeper')).toEqual(['/tasks', '/outgoing', '/incoming', '/proposals', '/assignments', '/published', '/seals', '/messages', '/organs', '/calendar', '/verify'])
  })
})
