/* Who is logged in. Laws: the second step comes before anything of the API; the one-time password of the first
   log-in, and a second factor where a role asks for one, come before anything else works. */

import type { Api } from '../api/client.ts'
import { asProblem } from '../api/problem.ts'
import type { Account, SecondStep, SessionInfo } from '../api/types.ts'

export type SessionState = 'unknown' | 'out' | 'second' | 'mustChange' | 'setUp' | 'in'

const STATES: Record<SessionInfo['needs'], SessionState> = {
  nothing: 'in',
  password: 'mustChange',
  second_factor_set_up: 'setUp',
  second_factor: 'second',
}

/** What the second step may be shown with: six digits or a recovery code, or a passkey's answer. */
export type Proof = { readonly code: string } | { readonly passkey: Record<string, unknown> }

export class Session {
  state: SessionState = $state('unknown')
  info: SessionInfo | null = $state.raw(null)
  readonly account: Account | null = $derived(this.info?.account ?? null)
  readonly second: SecondStep | null = $derived(this.info?.second ?? null)
  /** The session ended under our hands, as opposed to a log-out. */
  expired = $state(false)
  /** Whoever logs in next begins where everyone begins. */
  onLogout: () => void = () => undefined
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
    api.onUnauthorized = () => {
      if (this.state === 'second') return
      this.expired = this.state !== 'out' && this.state !== 'unknown'
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

  async prove(proof: Proof): Promise<void> {
    const body = { challenge: this.second?.challenge ?? '', ...proof }
    this.#enter(await this.#api.value(this.#api.http.POST('/api/v1/session/second', { body })))
  }

  async changePassword(old: string, fresh: string): Promise<void> {
    const body = { old, new: fresh }
    this.#enter(await this.#api.value(this.#api.http.POST('/api/v1/session/password', { body })))
  }

  async logout(): Promise<void> {
    await this.#api.done(this.#api.http.DELETE('/api/v1/session'))
    this.expired = false
    this.onLogout()
    this.#leave()
  }

  /** Back to the first step. */
  giveUp(): void {
    this.#leave()
  }

  #enter(info: SessionInfo): void {
    this.#api.csrf = info.csrf
    this.info = info
    this.expired = false
    this.state = STATES[info.needs]
  }

  #leave(): void {
    this.info = null
    this.state = 'out'
  }
}
