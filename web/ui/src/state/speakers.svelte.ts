/* The speakers of the place that is looked at, read anew every few seconds while anyone can see them.
   Why not from the events: naming a place there begins the whole stream again, with every place in it. */

import type { Api } from '../api/client.ts'
import { asProblem, type Problem } from '../api/problem.ts'
import type { Speaker } from '../api/types.ts'

const EVERY_MS = 2500
/** A whole province is thousands of lines: seldom is enough. */
const MANY = 300
const EVERY_MANY_MS = 15000

const ORDER: Record<Speaker['state'], number> = { pending: 0, fault: 1, offline: 2, blocked: 3, never: 4, online: 5 }

export class Speakers {
  list: readonly Speaker[] = $state.raw([])
  loaded = $state(false)
  problem: Problem | null = $state.raw(null)
  readonly #api: Api
  readonly #place: string
  #timer: ReturnType<typeof setTimeout> | undefined
  #ended = false

  constructor(api: Api, place: string) {
    this.#api = api
    this.#place = place
  }

  /** Returns the way to end it. */
  watch(): () => void {
    void this.#read()
    return () => {
      this.#ended = true
      clearTimeout(this.#timer)
    }
  }

  async #read(): Promise<void> {
    if (document.visibilityState === 'visible') {
      try {
        const query = { place: this.#place }
        const speakers = await this.#api.value(this.#api.http.GET('/api/v1/speakers', { params: { query } }))
        this.list = speakers.sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name, 'vi'))
        this.problem = null
        this.loaded = true
      } catch (thrown) {
        this.problem = asProblem(thrown)
      }
    }
    if (this.#ended) return
    this.#timer = setTimeout(() => void this.#read(), this.list.length > MANY ? EVERY_MANY_MS : EVERY_MS)
  }
}
