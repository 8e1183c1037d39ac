/* What an entry of the audit log was about, by name where the page knows one. */

import type { AuditEntry } from '../../../api/types.ts'
import type { App } from '../../../state/app.ts'

export function subjectName({ places, programs }: Pick<App, 'places' | 'programs'>, entry: AuditEntry): string {
  const told = entry.detail['title'] ?? entry.detail['name'] ?? entry.detail['full_name']
  if (typeof told === 'string' && told !== '') return `“${told}”`
  const which = entry.detail['which']
  if (typeof which === 'string') return which
  const program = programs.get(entry.subject)?.title
  if (program !== undefined) return `“${program}”`
  const place = places.get(entry.subject)
  return place && !entry.places.includes(place.id) ? place.name : ''
}
