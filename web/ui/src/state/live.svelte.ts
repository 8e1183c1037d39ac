/* One live call from this page, ordinary or emergency. Laws: the microphone is asked for before anything is
   ordered; "speak now" follows the server's word only; whatever ends it, microphone, link and order all end. */

import { asProblem, type Problem } from '../api/problem.ts'
import type { Broadcast, Started } from '../api/types.ts'
import { closeMicrophone, MicError } from '../media/microphone.ts'
import { Publication } from '../media/whip.ts'
import { isBusy, next, type CallEvent, type CallState } from '../model/call.ts'
import type { Mic } from './mic.svelte.ts'
import type { OnAir } from './onair.svelte.ts'

type Reset = () => void

/** What the call is: an emergency is raised and stopped by routes of its own, and a drill looks different. */
export type CallTone = 'ordinary' | 'emergency' | 'drill'

export class LiveCall {
  state: CallState = $state('idle')
  fault: MicError | Problem | null = $state.raw(null)
  started: Started | null = $state.raw(null)
  tone: CallTone = $state('ordinary')
  speakingSinceMs = $state(0)
  readonly busy = $derived(isBusy(this.state))

  readonly #mic: Mic
  readonly #onAir: OnAir
  #publication: Publication | undefined
  #awake: Reset = () => undefined
  /** Which call it is: what a call that was given up still answers must not touch the next one. */
  #run = 0

  constructor(mic: Mic, onAir: OnAir) {
    this.#mic = mic
    this.#onAir = onAir
    mic.onLost = () => void this.#fail(new MicError('lost'))
    addEventListener('pagehide', () => this.#leave())
    addEventListener('beforeunload', (event) => {
      if (this.busy) event.preventDefault()
    })
  }

  /** `order` is sent once the microphone is open. Ends in `chime`, `failed`, or `idle` when stopped meanwhile. */
  async start(order: () => Promise<Started>, tone: CallTone): Promise<void> {
    if (this.busy) return
    const run = ++this.#run
    this.fault = null
    this.tone = tone
    this.#step('start')
    try {
      const stream = await this.#mic.start()
      if (!this.#still(run, 'asking')) return closeMicrophone(stream)
      this.#step('granted')
      const started = await order()
      if (!this.#still(run, 'connecting')) return await this.#onAir.stop(started.id, this.#alarm)
      await this.#publish(stream, started)
    } catch (thrown) {
      if (run === this.#run) await this.#fail(thrown instanceof MicError ? thrown : asProblem(thrown))
    }
  }

  async #publish(stream: MediaStream, started: Started): Promise<void> {
    this.started = started
    if (!started.whip) throw new MicError('link')
    const publication = new Publication(started.whip)
    this.#publication = publication
    publication.onLost = () => void this.#fail(new MicError('link'))
    await publication.open(stream)
    this.#step('connected')
    this.#awake = stayAwake()
    const broadcast = this.#onAir.get(started.id)
    if (broadcast) this.follow(broadcast)
  }

  /** The server's word on a broadcast: is it ours, has the chime ended, has somebody stopped it? */
  follow(broadcast: Broadcast): void {
    if (broadcast.id !== this.started?.id || !this.busy) return
    if (broadcast.state === 'ended' && this.state !== 'stopping') void this.#fail(new MicError('ended'))
    if (broadcast.state === 'live' && this.state === 'chime') {
      this.#step('chimeEnded')
      this.speakingSinceMs = Date.now()
    }
  }

  async stop(allClear = false): Promise<void> {
    this.#step('stop')
    if (this.state === 'stopping') await this.#end(allClear)
  }

  /** After a failure has been read. */
  dismiss(): void {
    if (this.state === 'failed') this.#step('stopped')
    this.fault = null
  }

  async #fail(fault: MicError | Problem): Promise<void> {
    this.#step('fail')
    if (this.state !== 'failed') return
    this.fault = fault
    await this.#end()
  }

  async #end(allClear = false): Promise<void> {
    this.#mic.close()
    this.#awake()
    const { started } = this
    const publication = this.#publication
    this.started = null
    this.#publication = undefined
    // The order first: with it the server ends the call, while a call that ends takes the all-clear's chance away.
    const stopped = started === null || (await this.#stopped(started.id, allClear))
    publication?.close(!stopped)
    if (this.state === 'stopping') this.#step('stopped')
  }

  /** False: gone already, or out of reach; the server then ends a call whose microphone is silent by itself. */
  async #stopped(id: string, allClear: boolean): Promise<boolean> {
    try {
      await this.#onAir.stop(id, this.#alarm, allClear)
      return true
    } catch {
      return false
    }
  }

  #leave(): void {
    if (!this.started) return
    this.#publication?.close(true)
    this.#onAir.stopOnLeave(this.started.id, this.#alarm)
  }

  /** Has nobody stopped it, or begun another, while we waited? */
  #still(run: number, state: CallState): boolean {
    return run === this.#run && this.state === state
  }

  get #alarm(): boolean {
    return this.tone !== 'ordinary'
  }

  #step(event: CallEvent): void {
    this.state = next(this.state, event)
  }
}

/** Keeps the screen from sleeping under a call; where the browser cannot, the call goes on without. */
function stayAwake(): Reset {
  let lock: WakeLockSentinel | undefined
  const asked = (navigator as Partial<Navigator>).wakeLock?.request('screen')
  asked?.then((got) => (lock = got)).catch(() => undefined)
  return () => void lock?.release()
}
