/* A live call as seen from this page: its states and what may follow what. Pure.
   Law: `live` (and with it "speak now") is entered only on the server's word that the chime has ended. */

export type CallState = 'idle' | 'asking' | 'connecting' | 'chime' | 'live' | 'stopping' | 'failed'
export type CallEvent = 'start' | 'granted' | 'connected' | 'chimeEnded' | 'stop' | 'stopped' | 'fail'

const NEXT: Record<CallState, Partial<Record<CallEvent, CallState>>> = {
  idle: { start: 'asking' },
  asking: { granted: 'connecting', stop: 'stopping', fail: 'failed' },
  connecting: { connected: 'chime', stop: 'stopping', fail: 'failed' },
  chime: { chimeEnded: 'live', stop: 'stopping', fail: 'failed' },
  live: { stop: 'stopping', fail: 'failed' },
  stopping: { stopped: 'idle' },
  failed: { start: 'asking', stopped: 'idle' },
}

/** The state after the event; an event that does not fit changes nothing (it came too late). */
export function next(state: CallState, event: CallEvent): CallState {
  return NEXT[state][event] ?? state
}

export function isOnAir(state: CallState): boolean {
  return state === 'chime' || state === 'live'
}

export function isBusy(state: CallState): boolean {
  return state !== 'idle' && state !== 'failed'
}
