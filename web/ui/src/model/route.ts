/* Which page the address names: `#/security`, `#/admin/people`. Pure. Other anchors are none of its business. */

export const ADMIN_PAGES = ['people', 'roles', 'speakers', 'audit', 'keys'] as const
export type AdminPage = (typeof ADMIN_PAGES)[number]
export type Page = 'console' | 'security' | AdminPage

/** null: an anchor within the page, such as that of the skip link. */
export function parseRoute(hash: string): Page | null {
  if (hash === '' || hash === '#' || hash === '#/') return 'console'
  if (!hash.startsWith('#/')) return null
  if (hash === '#/security') return 'security'
  return ADMIN_PAGES.find((page) => hash === `#/admin/${page}`) ?? 'console'
}

export function hashOf(page: Page): string {
  if (page === 'console') return '#/'
  return page === 'security' ? '#/security' : `#/admin/${page}`
}
