/* What the person who is logged in may do here: for showing and hiding. The server has the last word. */

import type { Act } from '../api/types.ts'
import { mayAt, PAGE_ACTS } from '../model/access.ts'
import { ADMIN_PAGES, type AdminPage } from '../model/route.ts'
import type { Places } from './places.svelte.ts'
import type { Session } from './session.svelte.ts'

export class Access {
  readonly #session: Session
  readonly #places: Places
  readonly #acts = $derived.by(() => new Set(this.#session.info?.acts ?? []))
  readonly pages: readonly AdminPage[] = $derived.by(() =>
    ADMIN_PAGES.filter((page) => PAGE_ACTS[page].some((act) => this.can(act))),
  )

  constructor(session: Session, places: Places) {
    this.#session = session
    this.#places = places
  }

  /** Anywhere at all. */
  can(act: Act): boolean {
    return this.#acts.has(act)
  }

  at(act: Act, place: string): boolean {
    return mayAt(this.#places.tree, this.#session.info?.scope ?? [], act, place)
  }
}
