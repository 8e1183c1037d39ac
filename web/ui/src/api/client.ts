/* The one way to the API: the generated client, the CSRF header, and answers that are values or a thrown Problem. */

import createClient, { type Client } from 'openapi-fetch'

import type { paths } from './schema.d.ts'
import { asProblem, parseProblem, Problem } from './problem.ts'

export const CSRF_HEADER = 'X-CSRF-Token'
/** No button waits longer for an answer. */
const DEADLINE_MS = 12000
/** But for the few that say that they work on it, such as a voice that reads a text out. */
const PATIENT_MS = 90000

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

export class Api {
  readonly http: Client<paths>
  /** The `fetch` of a call whose answer takes its time. */
  readonly patient = (request: Request): Promise<Response> =>
    fetch(request, { signal: AbortSignal.timeout(PATIENT_MS) })
  #csrf = ''
  /** Called when the server no longer knows who we are. */
  onUnauthorized: () => void = () => undefined

  constructor() {
    this.http = createClient<paths>({
      baseUrl: '/',
      credentials: 'same-origin',
      fetch: (request) => fetch(request, { signal: AbortSignal.timeout(DEADLINE_MS) }),
    })
    this.http.use({
      onRequest: ({ request }) => {
        if (request.method !== 'GET') request.headers.set(CSRF_HEADER, this.#csrf)
        return request
      },
    })
  }

  set csrf(token: string) {
    this.#csrf = token
  }

  /** Headers for the requests that cannot go through the client: uploads, and the last words of a closing page. */
  headers(): Record<string, string> {
    return { [CSRF_HEADER]: this.#csrf }
  }

  /** The value of a successful answer. Throws Problem for every other, and for none. */
  async value<T>(call: Promise<Answer<T>>): Promise<T> {
    const answer = await this.#settled(call)
    if (answer.data === undefined) throw new Problem('server', 'empty answer', answer.response.url)
    return answer.data
  }

  /** For calls that answer with nothing. */
  async done(call: Promise<Answer<unknown>>): Promise<void> {
    await this.#settled(call)
  }

  async #settled<T>(call: Promise<Answer<T>>): Promise<Answer<T>> {
    let answer: Answer<T>
    try {
      answer = await call
    } catch (thrown) {
      throw asProblem(thrown)
    }
    if (answer.response.ok) return answer
    if (answer.response.status === 401) this.onUnauthorized()
    throw parseProblem(answer.response.status, answer.error)
  }

  /** Still sent when the page is on its way out. */
  deleteOnLeave(url: string, headers: Record<string, string> = this.headers()): void {
    void fetch(url, { method: 'DELETE', headers, keepalive: true, credentials: 'same-origin' }).catch(() => undefined)
  }
}
