import { describe, expect, it } from 'vitest'

import { isBusy, next, type CallEvent, type CallState } from '../src/model/call.ts'
import { HOLD_MS, IDLE, press, progress, release, tick } from '../src/model/hold.ts'
import { chance } from './territory.ts'

describe('hold to arm', () => {
  it('fires after two seconds and not before', () => {
    const held = press(IDLE, 1000)
    expect(tick(held, 1000 + HOLD_MS - 1).kind).toBe('arming')
    expect(tick(held, 1000 + HOLD_MS).kind).toBe('fired')
  })

  it('forgets a press that was let go', () => {
    press(IDLE, 0)
    const again = press(release(), 1900)
    expect(tick(again, 2100).kind).toBe('arming')
  })

  it('counts from the first press, not from a key that repeats', () => {
    expect(tick(press(press(IDLE, 0), 1500), HOLD_MS).kind).toBe('fired')
  })

  it('does not fire a second time while it is held on', () => {
    const fired = tick(press(IDLE, 0), HOLD_MS)
    expect(press(fired, 3000)).toBe(fired)
    expect(tick(fired, 9000)).toBe(fired)
  })

  it('shows how far it is', () => {
    expect([progress(IDLE, 5), progress(press(IDLE, 0), HOLD_MS / 2), progress({ kind: 'fired' }, 0)]).toEqual([
      0, 0.5, 1,
    ])
  })
})

describe('a live call', () => {
  const run = (...events: CallEvent[]): CallState => events.reduce(next, 'idle' as CallState)

  it('comes to "speak now" by one way only', () => {
    expect(run('start', 'granted', 'connected', 'chimeEnded')).toBe('live')
    expect(run('start', 'granted', 'chimeEnded')).toBe('connecting')
    expect(run('start', 'chimeEnded', 'connected')).toBe('asking')
  })

  it('never says "speak now" without microphone, link and chime, whatever happens in whatever order', () => {
    const random = chance(3)
    const events: CallEvent[] = ['start', 'granted', 'connected', 'chimeEnded', 'stop', 'stopped', 'fail']
    for (let round = 0; round < 2000; round++) {
      let state: CallState = 'idle'
      let seen: CallState[] = []
      for (let step = 0; step < 12; step++) {
        const before: CallState = state
        state = next(state, events[Math.floor(random() * events.length)]!)
        if (state === 'asking' && before !== 'asking') seen = []
        if (state !== before) seen.push(state)
        if (state === 'live') expect(seen).toEqual(['asking', 'connecting', 'chime', 'live'])
      }
    }
  })

  it('does not resume by itself', () => {
    expect(run('start', 'granted', 'connected', 'chimeEnded', 'fail', 'connected', 'chimeEnded')).toBe('failed')
    expect(run('start', 'granted', 'connected', 'stop', 'stopped', 'chimeEnded')).toBe('idle')
  })

  it('can be stopped from wherever it is', () => {
    for (const state of ['asking', 'connecting', 'chime', 'live'] as const) expect(next(state, 'stop')).toBe('stopping')
  })

  it('is busy until it has really ended', () => {
    expect(isBusy('stopping')).toBe(true)
    expect([isBusy('idle'), isBusy('failed')]).toEqual([false, false])
  })
})
