/* What a person may do, and where: an act allowed at a place holds for everything below it. Pure.
   The server decides; this only keeps buttons away that it would refuse. */

import type { Act, Scope } from '../api/types.ts'
import type { AdminPage } from './route.ts'
import type { Tree } from './tree.ts'

/** Every act that a role may allow, as people think of them. */
export const ACT_GROUPS = {
  watch: ['see'],
  air: ['air', 'air_priority', 'stop', 'reorder', 'edit_content'],
  alarm: ['alert', 'drill', 'stop_alert'],
  devices: ['edit_places', 'edit_speakers', 'enrol', 'approve_speaker', 'volume'],
  admin: ['edit_people', 'edit_roles', 'see_audit', 'see_keys', 'revoke_keys'],
} as const satisfies Record<string, readonly Act[]>

export const ROLE_ACTS: readonly Act[] = Object.values(ACT_GROUPS).flat()

/** An API token never reaches these. */
const NOT_FOR_TOKENS: ReadonlySet<Act> = new Set<Act>(['own', 'edit_people', 'edit_roles', 'revoke_keys'])
export const TOKEN_ACTS: readonly Act[] = ROLE_ACTS.filter((act) => !NOT_FOR_TOKENS.has(act))

/** Any one of them opens the page. */
export const PAGE_ACTS: Record<AdminPage, readonly Act[]> = {
  people: ['edit_people'],
  roles: ['edit_roles', 'edit_people'],
  speakers: ['edit_speakers', 'enrol', 'approve_speaker', 'volume'],
  audit: ['see_audit'],
  keys: ['see_keys'],
}

export function mayAt(tree: Tree, scope: readonly Scope[], act: Act, place: string): boolean {
  const tops = new Set(scope.filter((s) => s.acts.includes(act)).map((s) => s.place))
  for (let i = tree.index.get(place) ?? -1; i >= 0; i = tree.parent[i]!) {
    const at = tree.line[i]
    if (at && tops.has(at.id)) return true
  }
  return false
}
