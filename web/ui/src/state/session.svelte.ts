/* Who is logged in. The one-time password of the first log-in must be replaced before anything else works. */

import type { Api } from '../api/client.ts'
import { asProblem } from '../api/problem.ts'
import type { Account, SessionInfo } from '../api/types.ts'

export type SessionState = 'unknown' | 'out' | 'mustChange' | 'in'

export class Session {
  state: SessionState = $state('unknown')
  account: Account | null = $state.raw(null)
  /** The session ended under our hands, as opposed to a log-out. */
  expired = $state(false)
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
    api.onUnauthorized = () => {
      this.expired = this.state === 'in' || this.state === 'mustChange'
      this.#leave()
    }
  }

  /** Is there still a session from before? Throws Problem when the server cannot be asked. */
  async resume(): Promise<void> {
    try {
      this.#enter(await this.#api.value(this.#api.http.GET('/api/v1/session')))
    } catch (thrown) {
      const problem = asProblem(thrown)
      if (problem.kind !== 'unauthorized') throw problem
    }
  }

  async login(name: string, password: string): Promise<void> {
    this.#enter(await this.#api.value(this.#api.http.POST('/api/v1/session', { body: { name, password } })))
  }

  async changePassword(old: string, fresh: string): Promise<void> {
    const body = { old, new: fresh }
    this.#enter(await this.#api.value(this.#api.http.POST('/api/v1/session/password', { body })))
  }

  async logout(): Promise<void> {
    await this.#api.done(this.#api.http.DELETE('/api/v1/session'))
    this.expired = false
    this.#leave()
  }

  #enter(info: SessionInfo): void {
    this.#api.csrf = info.csrf
    this.account = info.account
    this.expired = false
    this.state = info.account.must_change ? 'mustChange' : 'in'
  }

  #leave(): void {
    this.account = null
    this.state = 'out'
  }
}
