/* The audit log as the page has read it: newest first, page after page. */

import type { Api } from '../api/client.ts'
import { asProblem, type Problem } from '../api/problem.ts'
import type { AuditEntry } from '../api/types.ts'
import { NO_FILTER, queryOf, type AuditFilter } from '../model/journal.ts'

const PAGE = 50

export class Journal {
  filter: AuditFilter = $state.raw(NO_FILTER)
  entries: readonly AuditEntry[] = $state.raw([])
  /** Where what is older begins; null: that was all. */
  before: number | null = $state(null)
  busy = $state(false)
  loaded = $state(false)
  problem: Problem | null = $state.raw(null)
  readonly #api: Api
  #asked = 0

  constructor(api: Api) {
    this.#api = api
    void this.#read(null)
  }

  change(part: Partial<AuditFilter>): void {
    this.filter = { ...this.filter, ...part }
    void this.#read(null)
  }

  clear(): void {
    this.filter = NO_FILTER
    void this.#read(null)
  }

  older(): void {
    if (this.before !== null) void this.#read(this.before)
  }

  /** A newer question makes the answer to an older one worthless. */
  async #read(before: number | null): Promise<void> {
    const asked = ++this.#asked
    this.busy = true
    try {
      const query = { ...queryOf(this.filter), limit: PAGE, ...(before === null ? {} : { before }) }
      const page = await this.#api.value(this.#api.http.GET('/api/v1/audit', { params: { query } }))
      if (asked !== this.#asked) return
      this.entries = before === null ? page.entries : [...this.entries, ...page.entries]
      this.before = page.before
      this.problem = null
      this.loaded = true
    } catch (thrown) {
      if (asked === this.#asked) this.problem = asProblem(thrown)
    } finally {
      if (asked === this.#asked) this.busy = false
    }
  }
}
