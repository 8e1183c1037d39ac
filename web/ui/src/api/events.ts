/* What the stream of live events carries. Pure. A kind that this page does not know is none of its business. */

import type { EventKind, LiveEvent } from './types.ts'

const KINDS: Record<EventKind, true> = {
  hello: true,
  places: true,
  territory: true,
  speakers: true,
  broadcast: true,
  reach: true,
  level: true,
  program: true,
  program_gone: true,
  radio: true,
  radio_gone: true,
  push: true,
  push_gone: true,
}

export const EVENT_KINDS = Object.keys(KINDS) as readonly EventKind[]

export function parseEvent(text: string): LiveEvent | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  return typeof value.kind === 'string' && Object.hasOwn(KINDS, value.kind) ? (value as LiveEvent) : null
}
