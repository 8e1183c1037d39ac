/* The filter of the audit log, and its days. Pure. */

import type { AuditEntry } from '../api/types.ts'

export interface AuditFilter {
  readonly actor: string
  readonly act: string
  readonly place: string | null
  readonly result: AuditEntry['result'] | ''
  /** "2026-11-22", a day of this browser's time zone; empty: open. */
  readonly from: string
  readonly to: string
}

export const NO_FILTER: AuditFilter = { actor: '', act: '', place: null, result: '', from: '', to: '' }

export interface AuditQuery {
  actor?: string
  act?: string
  place?: string
  result?: AuditEntry['result']
  from?: string
  to?: string
}

/** `to` names the last day that is wanted; the server asks for the first moment that is too late. */
export function queryOf(filter: AuditFilter): AuditQuery {
  return {
    ...(filter.actor === '' ? {} : { actor: filter.actor }),
    ...(filter.act === '' ? {} : { act: filter.act }),
    ...(filter.place === null ? {} : { place: filter.place }),
    ...(filter.result === '' ? {} : { result: filter.result }),
    ...(filter.from === '' ? {} : { from: dayStart(filter.from, 0) }),
    ...(filter.to === '' ? {} : { to: dayStart(filter.to, 1) }),
  }
}

function dayStart(day: string, later: number): string {
  const at = new Date(`${day}T00:00:00`)
  at.setDate(at.getDate() + later)
  return at.toISOString()
}

export interface Day {
  readonly at: string
  readonly entries: readonly AuditEntry[]
}

/** Entries, newest first, gathered by the days of this browser's time zone. */
export function byDay(entries: readonly AuditEntry[]): Day[] {
  const days: { at: string; entries: AuditEntry[] }[] = []
  for (const entry of entries) {
    const last = days.at(-1)
    if (last && new Date(last.at).toDateString() === new Date(entry.at).toDateString()) last.entries.push(entry)
    else days.push({ at: entry.at, entries: [entry] })
  }
  return days
}
