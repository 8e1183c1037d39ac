/* The order in which the page shows what is on air: as it outranks. Pure. */

import type { Broadcast, Severity } from '../api/types.ts'

const CLASSES = ['ordinary', 'priority', 'emergency'] as const
export const SEVERITIES: readonly Severity[] = ['unknown', 'minor', 'moderate', 'severe', 'extreme']

/** Highest first; emergencies latest first, the others first come first. Drills after the real ones. */
export function byRank(a: Broadcast, b: Broadcast): number {
  return (
    CLASSES.indexOf(b.cls) - CLASSES.indexOf(a.cls) ||
    Number(a.drill) - Number(b.drill) ||
    SEVERITIES.indexOf(b.severity ?? 'unknown') - SEVERITIES.indexOf(a.severity ?? 'unknown') ||
    (a.cls === 'emergency' ? -1 : 1) * (a.started_at ?? '').localeCompare(b.started_at ?? '') ||
    a.id.localeCompare(b.id)
  )
}
