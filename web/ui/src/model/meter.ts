/* Sound levels: from samples to decibels below full scale, to the length of a bar. Pure. */

/** What is silence to the meter; the bar starts here. */
export const FLOOR_DBFS = -60
/** A voice close to a microphone is well above this; a muted or dead microphone is below. */
const QUIET_DBFS = -50
const QUIET_AFTER_MS = 4000
const CLIP_DBFS = -0.3
/** How fast the bar falls: readable, about the ballistics of a programme meter. */
const FALL_DB_PER_S = 24

export interface Level {
  readonly rmsDbfs: number
  readonly peakDbfs: number
}

export const SILENCE: Level = { rmsDbfs: -Infinity, peakDbfs: -Infinity }

export function measure(samples: Float32Array): Level {
  let sum = 0
  let peak = 0
  for (const sample of samples) {
    sum += sample * sample
    peak = Math.max(peak, Math.abs(sample))
  }
  if (samples.length === 0) return SILENCE
  return { rmsDbfs: 10 * Math.log10(sum / samples.length), peakDbfs: 20 * Math.log10(peak) }
}

/** 0 (silence) to 1 (full scale). */
export function barLength(dbfs: number): number {
  if (Number.isNaN(dbfs)) return 0
  return Math.min(1, Math.max(0, 1 - dbfs / FLOOR_DBFS))
}

/** Rises at once, falls slowly. */
export function follow(shownDbfs: number, dbfs: number, elapsedMs: number): number {
  const fallen = Math.max(FLOOR_DBFS, shownDbfs - (FALL_DB_PER_S * elapsedMs) / 1000)
  return Math.max(fallen, dbfs)
}

export function clips(level: Level): boolean {
  return level.peakDbfs >= CLIP_DBFS
}

/** Watches for a microphone that gives nothing: when was it last heard, and is that too long ago? */
export function heardAt(lastMs: number, level: Level, nowMs: number): number {
  return level.peakDbfs > QUIET_DBFS ? nowMs : lastMs
}

export function isQuiet(lastMs: number, nowMs: number): boolean {
  return nowMs - lastMs >= QUIET_AFTER_MS
}
