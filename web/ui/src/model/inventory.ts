/* Finding loudspeakers in the inventory, and reading where one stands. Pure. */

import type { Speaker } from '../api/types.ts'
import { fold, words } from './fold.ts'
import type { Tree } from './tree.ts'

export interface Wanted {
  readonly query: string
  readonly state: Speaker['state'] | ''
  readonly place: string | null
}

const ORDER: Record<Speaker['state'], number> = { fault: 0, offline: 1, blocked: 2, pending: 3, never: 4, online: 5 }

/** Those that match, the ones that need somebody first. */
export function search(speakers: readonly Speaker[], wanted: Wanted, tree: Tree): Speaker[] {
  const asked = words(wanted.query)
  const from = wanted.place === null ? 0 : (tree.index.get(wanted.place) ?? 0)
  const to = wanted.place === null ? Infinity : (tree.end[from] ?? 0)
  return speakers
    .filter((speaker) => {
      if (wanted.state !== '' && speaker.state !== wanted.state) return false
      const at = tree.index.get(speaker.place) ?? -1
      if (wanted.place !== null && (at < from || at >= to)) return false
      const text = fold(`${speaker.name} ${speaker.serial} ${speaker.key} ${speaker.notes}`)
      return asked.every((word) => text.includes(word))
    })
    .sort(
      (a, b) =>
        ORDER[a.state] - ORDER[b.state] ||
        (tree.index.get(a.place) ?? 0) - (tree.index.get(b.place) ?? 0) ||
        a.name.localeCompare(b.name, 'vi', { numeric: true }),
    )
}

export interface Position {
  readonly lat: number
  readonly lon: number
}

/** "10.4602, 105.6329"; null when empty; undefined when it is no position. */
export function parsePosition(text: string): Position | null | undefined {
  if (text.trim() === '') return null
  const found = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)\s*$/.exec(text)
  if (!found) return undefined
  const [lat, lon] = [Number(found[1]), Number(found[2])]
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : undefined
}

export function positionText({ lat, lon }: Pick<Speaker, 'lat' | 'lon'>): string {
  return lat === null || lon === null ? '' : `${lat}, ${lon}`
}
