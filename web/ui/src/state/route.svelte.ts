/* Where in the page we are, kept in the address so that a reload comes back to it. Owns the hash. */

import { hashOf, parseRoute, type Page } from '../model/route.ts'

export class Route {
  page: Page = $state(parseRoute(location.hash) ?? 'console')

  constructor() {
    addEventListener('hashchange', () => {
      this.page = parseRoute(location.hash) ?? this.page
    })
  }

  go(page: Page): void {
    location.hash = hashOf(page)
  }
}
