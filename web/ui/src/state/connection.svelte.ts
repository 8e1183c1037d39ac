/* The stream of live events. Laws: after every greeting the page reads everything anew, so that nothing missed
   while away stays wrong; events that come meanwhile wait their turn; it comes back by itself, for ever. */

import { EVENT_KINDS, parseEvent } from '../api/events.ts'
import { asProblem } from '../api/problem.ts'
import type { EventOf, LiveEvent } from '../api/types.ts'
import { retryAfterMs } from '../model/backoff.ts'

const URL = '/api/v1/events'
/** A laptop that slept holds a connection that looks open and is dead. */
const STALE_MS = 30000

export interface Receiver {
  /** Is the server there and the session good? Throws Problem when not. */
  check(): Promise<void>
  greet(hello: EventOf<'hello'>): void
  refresh(): Promise<void>
  apply(event: LiveEvent): void
}

export class Connection {
  status: 'off' | 'connecting' | 'open' | 'lost' = $state('off')
  retryAtMs = $state(0)
  onBack: () => void = () => undefined
  readonly #receiver: Receiver
  #source: EventSource | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  #heardMs = 0
  #waiting: LiveEvent[] | null = null

  constructor(receiver: Receiver) {
    this.#receiver = receiver
    addEventListener('online', () => this.retryNow())
    document.addEventListener('visibilitychange', () => {
      const stale = performance.now() - this.#heardMs > STALE_MS
      if (document.visibilityState === 'visible' && this.status === 'open' && stale) this.#open()
    })
  }

  start(): void {
    if (this.status !== 'off') return
    this.status = 'connecting'
    this.#open()
  }

  stop(): void {
    this.#close()
    this.#attempt = 0
    this.status = 'off'
  }

  retryNow(): void {
    if (this.status === 'lost') void this.#retry()
  }

  /** An EventSource does not say why it failed, so the session is asked for first: it may have ended. */
  async #retry(): Promise<void> {
    clearTimeout(this.#timer)
    this.retryAtMs = 0
    try {
      await this.#receiver.check()
    } catch {
      if (this.status === 'lost') this.#later()
      return
    }
    if (this.status === 'lost') this.#open()
  }

  #later(): void {
    const waitMs = retryAfterMs(this.#attempt++, Math.random())
    this.retryAtMs = Date.now() + waitMs
    this.#timer = setTimeout(() => void this.#retry(), waitMs)
  }

  #open(): void {
    this.#close()
    const source = new EventSource(URL)
    this.#source = source
    source.onerror = () => this.#lost(source)
    for (const kind of EVENT_KINDS) {
      source.addEventListener(kind, (message: MessageEvent<string>) => {
        this.#heardMs = performance.now()
        const event = parseEvent(message.data)
        if (event?.kind === 'hello') void this.#hello(source, event)
        else if (event && this.#waiting) this.#waiting.push(event)
        else if (event) this.#receiver.apply(event)
      })
    }
  }

  async #hello(source: EventSource, event: EventOf<'hello'>): Promise<void> {
    this.#receiver.greet(event)
    this.#waiting = []
    try {
      await this.#receiver.refresh()
    } catch (thrown) {
      if (asProblem(thrown).kind !== 'unauthorized') this.#lost(source)
      return
    }
    if (source !== this.#source) return
    for (const waiting of this.#waiting) this.#receiver.apply(waiting)
    this.#waiting = null
    if (this.status === 'lost') this.onBack()
    this.#attempt = 0
    this.status = 'open'
  }

  #lost(source: EventSource): void {
    if (source !== this.#source) return
    this.#close()
    this.status = 'lost'
    this.#later()
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#source?.close()
    this.#source = undefined
    this.#waiting = null
  }
}
