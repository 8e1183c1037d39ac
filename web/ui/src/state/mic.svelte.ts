/* The microphone as the page shows it: which one, how loud, is anything coming. Open during a test or a call. */

import {
  closeMicrophone,
  listMicrophones,
  MIC_DEFAULTS,
  openMicrophone,
  type MicSettings,
} from '../media/microphone.ts'
import { watchLevels } from '../media/levels.ts'
import { clips, FLOOR_DBFS, follow, heardAt, isQuiet, type Level } from '../model/meter.ts'

const REMEMBERED = 'loa.microphone'
const CLIP_SHOWN_MS = 1500

function remembered(): MicSettings {
  try {
    return { ...MIC_DEFAULTS, ...(JSON.parse(localStorage.getItem(REMEMBERED) ?? '{}') as Partial<MicSettings>) }
  } catch {
    return MIC_DEFAULTS
  }
}

export class Mic {
  settings: MicSettings = $state.raw(remembered())
  devices: readonly MediaDeviceInfo[] = $state.raw([])
  open = $state(false)
  shownDbfs = $state(FLOOR_DBFS)
  quiet = $state(false)
  clipping = $state(false)
  /** The device vanished while open. */
  onLost: () => void = () => undefined

  #stream: MediaStream | undefined
  #unwatch: () => void = () => undefined
  #drawnMs = 0
  #heardMs = 0
  #clippedMs = -Infinity

  constructor() {
    const devices = (navigator as Partial<Navigator>).mediaDevices
    devices?.addEventListener('devicechange', () => void this.list())
    void this.list()
  }

  async list(): Promise<void> {
    this.devices = await listMicrophones()
  }

  change(settings: Partial<MicSettings>): void {
    this.settings = { ...this.settings, ...settings }
    localStorage.setItem(REMEMBERED, JSON.stringify(this.settings))
  }

  /** Throws MicError. The stream belongs to this object; close() ends it. */
  async start(): Promise<MediaStream> {
    this.close()
    const stream = await openMicrophone(this.settings)
    this.#stream = stream
    this.open = true
    this.#heardMs = this.#drawnMs = performance.now()
    this.#unwatch = watchLevels(stream, (level, nowMs) => this.#draw(level, nowMs))
    stream.getAudioTracks()[0]?.addEventListener('ended', () => this.#lost(stream))
    void this.list()
    return stream
  }

  close(): void {
    this.#unwatch()
    this.#unwatch = () => undefined
    if (this.#stream) closeMicrophone(this.#stream)
    this.#stream = undefined
    this.open = this.quiet = this.clipping = false
    this.shownDbfs = FLOOR_DBFS
  }

  #lost(stream: MediaStream): void {
    if (stream !== this.#stream) return
    this.close()
    this.onLost()
  }

  #draw(level: Level, nowMs: number): void {
    this.shownDbfs = follow(this.shownDbfs, level.peakDbfs, nowMs - this.#drawnMs)
    this.#drawnMs = nowMs
    this.#heardMs = heardAt(this.#heardMs, level, nowMs)
    this.quiet = isQuiet(this.#heardMs, nowMs)
    if (clips(level)) this.#clippedMs = nowMs
    this.clipping = nowMs - this.#clippedMs < CLIP_SHOWN_MS
  }
}
