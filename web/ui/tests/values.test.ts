import { describe, expect, it } from 'vitest'

import { EVENT_KINDS, parseEvent } from '../src/api/events.ts'
import { asProblem, parseProblem, Problem } from '../src/api/problem.ts'
import type { Broadcast } from '../src/api/types.ts'
import { retryAfterMs } from '../src/model/backoff.ts'
import { ago, clock, time } from '../src/model/format.ts'
import { healthOf } from '../src/model/health.ts'
import { barLength, clips, FLOOR_DBFS, follow, heardAt, isQuiet, measure, SILENCE } from '../src/model/meter.ts'
import { byRank } from '../src/model/rank.ts'
import { reveal, visibleSpan } from '../src/model/window.ts'

describe('levels', () => {
  it('measure a full-scale square wave as 0 dB and silence as nothing', () => {
    expect(measure(Float32Array.of(1, -1, 1, -1))).toEqual({ rmsDbfs: 0, peakDbfs: 0 })
    expect(measure(new Float32Array(8)).peakDbfs).toBe(-Infinity)
    expect(measure(new Float32Array(0))).toEqual(SILENCE)
  })

  it('measure half of full scale as -6 dB', () => {
    expect(measure(Float32Array.of(0.5, -0.5)).rmsDbfs).toBeCloseTo(-6.02, 2)
  })

  it('make a bar between nothing and full', () => {
    expect([barLength(-Infinity), barLength(FLOOR_DBFS), barLength(-30), barLength(0), barLength(3)]).toEqual([
      0, 0, 0.5, 1, 1,
    ])
  })

  it('rise at once and fall slowly', () => {
    expect(follow(-40, -10, 16)).toBe(-10)
    expect(follow(-10, -60, 500)).toBe(-22)
    expect(follow(-59, -Infinity, 1000)).toBe(FLOOR_DBFS)
  })

  it('tell a microphone that gives nothing', () => {
    const heard = heardAt(0, { rmsDbfs: -30, peakDbfs: -20 }, 1000)
    const still = heardAt(heard, SILENCE, 4000)
    expect([isQuiet(still, 4000), isQuiet(still, 5000)]).toEqual([false, true])
  })

  it('tell one that clips', () => {
    expect([clips({ rmsDbfs: -6, peakDbfs: 0 }), clips({ rmsDbfs: -6, peakDbfs: -1 })]).toEqual([true, false])
  })
})

describe('the window of a long list', () => {
  it('holds what is on the screen and a little more, of however many', () => {
    const span = visibleSpan(48 * 1000, 480, 48, 4000)
    expect(span.from).toBeLessThan(1000)
    expect(span.to).toBeGreaterThan(1010)
    expect(span.to - span.from).toBeLessThan(30)
  })

  it('never passes the ends', () => {
    expect(visibleSpan(-50, 480, 48, 3)).toEqual({ from: 0, to: 3 })
    expect(visibleSpan(99999, 480, 48, 3)).toEqual({ from: 3, to: 3 })
    expect(visibleSpan(0, 480, 48, 0)).toEqual({ from: 0, to: 0 })
  })

  it('moves no further than a row needs', () => {
    expect([reveal(5, 0, 480, 48), reveal(0, 100, 480, 48), reveal(20, 0, 480, 48)]).toEqual([0, 0, 528])
  })
})

describe('trying again', () => {
  it('waits longer each time, up to a limit, and never exactly as long as another page', () => {
    expect([0, 1, 2, 9].map((n) => retryAfterMs(n, 1))).toEqual([1000, 2000, 4000, 15000])
    expect(retryAfterMs(2, 0)).toBe(2000)
  })
})

describe('problems', () => {
  it('keep the words of the server', () => {
    const problem = parseProblem(409, { what: 'on air there', where: 'Cao Lãnh', expected: 'another place' })
    expect(problem).toMatchObject({
      kind: 'conflict',
      what: 'on air there',
      where: 'Cao Lãnh',
      expected: 'another place',
    })
  })

  it.each([null, undefined, 'text', 7, { what: 3 }, []])('take any body: %j', (body) => {
    expect(parseProblem(500, body)).toMatchObject({ kind: 'server', what: '', where: '', expected: '' })
  })

  it.each([
    [401, 'unauthorized'],
    [403, 'denied'],
    [404, 'missing'],
    [422, 'invalid'],
    [429, 'busy'],
    [502, 'server'],
    [503, 'busy'],
  ])('%i is %s', (status, kind) => expect(parseProblem(status, {}).kind).toBe(kind))

  it('call a refused connection what it is', () => {
    expect(asProblem(new TypeError('Failed to fetch')).kind).toBe('offline')
    expect(asProblem(new DOMException('', 'TimeoutError')).kind).toBe('offline')
    const own = new Problem('denied')
    expect(asProblem(own)).toBe(own)
  })
})

describe('live events', () => {
  it('are taken when known', () => {
    for (const kind of EVENT_KINDS) expect(parseEvent(JSON.stringify({ kind }))?.kind).toBe(kind)
  })

  it.each(['', '{', 'null', '7', '[]', '{}', '{"kind":3}', '{"kind":"toString"}', '{"kind":"weather"}'])(
    'are left alone otherwise: %s',
    (text) => expect(parseEvent(text)).toBeNull(),
  )
})

describe('formats', () => {
  it.each([
    [0, '0:00'],
    [7.9, '0:07'],
    [750, '12:30'],
    [3753, '1:02:33'],
    [-4, '0:00'],
  ])('%d s', (seconds, text) => expect(clock(seconds)).toBe(text))

  it('tell times of today without the day', () => {
    const now = new Date(2026, 10, 22, 5, 0)
    expect(time(new Date(2026, 10, 22, 4, 45), now, 'vi')).toBe('04:45')
    expect(time(new Date(2026, 10, 21, 4, 45), now, 'vi')).toContain('21')
  })

  it('tell how long ago', () => {
    const now = new Date(2026, 10, 22, 5, 0, 0)
    expect(ago(new Date(now.getTime() - 185_000), now, 'vi')).toBe('3 phút trước')
    expect(ago(new Date(now.getTime() - 7_500_000), now, 'en')).toBe('2 hours ago')
    expect(ago(new Date(now.getTime() + 60_000), now, 'en')).toBe('now')
  })
})

describe('health of a place', () => {
  it.each([
    [0, 0, 'none'],
    [15, 15, 'all'],
    [199, 210, 'most'],
    [7, 15, 'some'],
    [0, 15, 'lost'],
  ] as const)('%i of %i: %s', (online, speakers, health) => expect(healthOf(online, speakers)).toBe(health))
})

describe('the order of what is on air', () => {
  const at = (id: string, fields: Partial<Broadcast>): Broadcast =>
    ({ id, cls: 'ordinary', severity: null, drill: false, started_at: '2026-11-22T05:00:00Z', ...fields }) as Broadcast

  it('is the order of rank', () => {
    const list = [
      at('late', { started_at: '2026-11-22T05:10:00Z' }),
      at('early', {}),
      at('priority', { cls: 'priority', started_at: '2026-11-22T05:30:00Z' }),
      at('drill', { cls: 'emergency', severity: 'extreme', drill: true }),
      at('severe', { cls: 'emergency', severity: 'severe' }),
      at('severe-later', { cls: 'emergency', severity: 'severe', started_at: '2026-11-22T05:20:00Z' }),
      at('extreme', { cls: 'emergency', severity: 'extreme' }),
    ]
    expect(list.sort(byRank).map((b) => b.id)).toEqual([
      'extreme',
      'severe-later',
      'severe',
      'drill',
      'priority',
      'early',
      'late',
    ])
  })
})
