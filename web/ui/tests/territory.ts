/* Small territories for the tests. */

import type { Place } from '../src/api/types.ts'

export function place(id: string, parent: string | null, fields: Partial<Place> = {}): Place {
  return {
    id,
    parent,
    name: id,
    slug: id,
    kind: 'commune',
    path: id,
    depth: 0,
    position: 0,
    latency_ms: null,
    profile: null,
    speakers: 0,
    online: 0,
    faulty: 0,
    playing: null,
    in_scope: true,
    ...fields,
  }
}

/** A repeatable source of numbers from 0 to 1 (mulberry32), so that a failure can be seen again. */
export function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Any tree of up to 40 places, in any order. */
export function randomPlaces(random: () => number): Place[] {
  const places: Place[] = []
  const size = 1 + Math.floor(random() * 40)
  for (let i = 0; i < size; i++) {
    const parent = i === 0 || random() < 0.05 ? null : `p${Math.floor(random() * i)}`
    places.push(place(`p${i}`, parent))
  }
  return places.sort(() => random() - 0.5)
}
