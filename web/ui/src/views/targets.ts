/* What a choice of places amounts to, in numbers and in words: "412 loa ở 9 xã, phường". */

import type { I18n } from '../i18n/i18n.svelte.ts'
import type { Tree } from '../model/tree.ts'
import type { Places } from '../state/places.svelte.ts'

export interface Preview {
  readonly speakers: number
  readonly online: number
  readonly communes: number
  readonly places: number
}

/** Counted from the tree: the subtrees are disjoint and each place carries the count of its own. */
export function preview({ tree, targets }: Pick<Places, 'tree' | 'targets'>): Preview {
  const total = { speakers: 0, online: 0, communes: 0, places: 0 }
  for (const target of targets) {
    total.speakers += target.speakers
    total.online += target.online
    const i = tree.index.get(target.id) ?? 0
    total.places += (tree.end[i] ?? i) - i
    total.communes += communes(tree, i)
  }
  return total
}

function communes(tree: Tree, i: number): number {
  let found = 0
  for (let at = i; at < (tree.end[i] ?? i); at++) if (tree.line[at]?.kind === 'commune') found++
  return found
}

/** People count in communes; below one, and in territories that have none, in places. */
export function inWords({ t, n }: Pick<I18n, 't' | 'n'>, reach: Preview): string {
  const { targets } = t
  const where = reach.communes > 0 ? targets.communes(n(reach.communes)) : targets.places(n(reach.places))
  return targets.summary(targets.speakers(n(reach.speakers)), where)
}
