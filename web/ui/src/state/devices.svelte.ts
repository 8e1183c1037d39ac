/* The loudspeakers of one's territory as devices, read anew every few seconds while the page shows them:
   one that has just enrolled appears by itself. */

import type { Api } from '../api/client.ts'
import { asProblem, type Problem } from '../api/problem.ts'
import type { OpenCode, Speaker } from '../api/types.ts'

const EVERY_MS = 4000
/** A whole province is thousands of lines. */
const MANY = 500
const EVERY_MANY_MS = 20000

export class Devices {
  list: readonly Speaker[] = $state.raw([])
  codes: readonly OpenCode[] = $state.raw([])
  loaded = $state(false)
  problem: Problem | null = $state.raw(null)
  readonly pending = $derived(this.list.filter((speaker) => speaker.state === 'pending'))
  readonly #api: Api
  readonly #withCodes: boolean
  #timer: ReturnType<typeof setTimeout> | undefined
  #ended = false

  constructor(api: Api, withCodes: boolean) {
    this.#api = api
    this.#withCodes = withCodes
  }

  /** Returns the way to end it. */
  watch(): () => void {
    void this.#again()
    return () => {
      this.#ended = true
      clearTimeout(this.#timer)
    }
  }

  async refresh(): Promise<void> {
    try {
      const [list, codes] = await Promise.all([
        this.#api.value(this.#api.http.GET('/api/v1/speakers')),
        this.#withCodes ? this.#api.value(this.#api.http.GET('/api/v1/enrolments')) : [],
      ])
      this.list = list
      this.codes = codes.toSorted((a, b) => a.expires.localeCompare(b.expires))
      this.problem = null
      this.loaded = true
    } catch (thrown) {
      this.problem = asProblem(thrown)
    }
  }

  /** What an act answered: shown at once, before the next reading. */
  apply(speaker: Speaker): void {
    this.list = this.list.map((one) => (one.id === speaker.id ? speaker : one))
  }

  async #again(): Promise<void> {
    if (document.visibilityState === 'visible') await this.refresh()
    if (this.#ended) return
    this.#timer = setTimeout(() => void this.#again(), this.list.length > MANY ? EVERY_MANY_MS : EVERY_MS)
  }
}
