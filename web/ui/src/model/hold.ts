/* Hold to arm: a press that lasts long enough sends, a shorter one does nothing. Pure; time is passed in.
   2 s: long enough that no elbow, cat or double click does it, short enough when the water is rising. */

export const HOLD_MS = 2000

export type Hold =
  { readonly kind: 'idle' } | { readonly kind: 'arming'; readonly sinceMs: number } | { readonly kind: 'fired' }

export const IDLE: Hold = { kind: 'idle' }

export function press(hold: Hold, nowMs: number): Hold {
  return hold.kind === 'idle' ? { kind: 'arming', sinceMs: nowMs } : hold
}

/** Letting go (or losing focus) before the time is up disarms; after firing it makes ready again. */
export function release(): Hold {
  return IDLE
}

export function tick(hold: Hold, nowMs: number): Hold {
  return hold.kind === 'arming' && nowMs - hold.sinceMs >= HOLD_MS ? { kind: 'fired' } : hold
}

/** 0 to 1, for the picture of it. */
export function progress(hold: Hold, nowMs: number): number {
  if (hold.kind === 'idle') return 0
  if (hold.kind === 'fired') return 1
  return Math.min(1, Math.max(0, (nowMs - hold.sinceMs) / HOLD_MS))
}
