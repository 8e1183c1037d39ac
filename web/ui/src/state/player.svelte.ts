/* The ear of the page: one <audio>, at a place's mount or at a stored program. A mount that breaks is
   taken up again until the listener has had enough; the page is silent while the microphone is open. */

import type { Place, Program } from '../api/types.ts'
import { openMount } from '../media/mount.ts'
import { retryAfterMs } from '../model/backoff.ts'

export type Heard =
  | { readonly kind: 'place'; readonly id: string; readonly path: string }
  | { readonly kind: 'program'; readonly id: string; readonly title: string }

export type PlayerState = 'off' | 'connecting' | 'playing' | 'waiting' | 'blocked' | 'failed'

export class Player {
  heard: Heard | null = $state.raw(null)
  state: PlayerState = $state('off')
  volume = $state(0.9)
  positionS = $state(0)
  /** Something was heard since the page opened: the invitation to listen has done its work. */
  used = $state(false)
  #audio: HTMLAudioElement | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  #unmount: () => void = () => undefined

  /** Called with the page's element; returns its release. */
  attach = (audio: HTMLAudioElement): (() => void) => {
    this.#audio = audio
    audio.volume = this.volume
    audio.onplaying = () => {
      this.state = 'playing'
      this.used = true
      this.#attempt = 0
    }
    audio.onwaiting = () => (this.state = 'waiting')
    audio.ontimeupdate = () => (this.positionS = audio.currentTime)
    audio.onerror = () => this.#broken()
    audio.onended = () => (this.heard?.kind === 'program' ? this.stop() : this.#broken())
    return () => this.stop()
  }

  listenAt(place: Pick<Place, 'id' | 'path'>): void {
    this.#play({ kind: 'place', id: place.id, path: place.path })
  }

  preListen(program: Program): void {
    this.#play({ kind: 'program', id: program.id, title: program.title })
  }

  isAt(id: string): boolean {
    return this.heard?.id === id && this.state !== 'off'
  }

  setVolume(volume: number): void {
    this.volume = volume
    if (this.#audio) this.#audio.volume = volume
  }

  seek(seconds: number): void {
    if (this.#audio && this.heard?.kind === 'program') this.#audio.currentTime = seconds
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#unmount()
    this.heard = null
    this.state = 'off'
    this.positionS = 0
    const audio = this.#audio
    if (!audio) return
    audio.pause()
    audio.removeAttribute('src')
    audio.load()
  }

  #play(heard: Heard): void {
    this.heard = heard
    this.positionS = 0
    this.#attempt = 0
    this.#open()
  }

  #open(): void {
    const audio = this.#audio
    const heard = this.heard
    if (!audio || !heard) return
    clearTimeout(this.#timer)
    this.#unmount()
    this.#unmount = () => undefined
    this.state = 'connecting'
    if (heard.kind === 'program') audio.src = address(heard)
    else this.#unmount = openMount(audio, address(heard), () => this.#broken())
    audio.play().catch((thrown: unknown) => {
      if (thrown instanceof Error && thrown.name === 'NotAllowedError') this.state = 'blocked'
    })
  }

  #broken(): void {
    if (!this.heard || this.state === 'off') return
    this.state = 'failed'
    if (this.heard.kind === 'program') return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#open(), retryAfterMs(this.#attempt++, Math.random()))
  }
}

/** MP3, which every browser plays; slugs are plain letters, ids hex. */
function address(heard: Heard): string {
  if (heard.kind === 'program') return `/api/v1/programs/${heard.id}/audio.mp3`
  return `/listen/${heard.path.split('/').map(encodeURIComponent).join('/')}.mp3`
}
