/* What a role is called: the built-in ones in the language of the page, a province's own by its own name. */

import type { I18n } from '../../../i18n/i18n.svelte.ts'
import type { Role } from '../../../api/types.ts'

export function roleName({ t }: Pick<I18n, 't'>, role: Pick<Role, 'name' | 'builtin'>): string {
  const names: Record<string, string> = t.roles.names
  return (role.builtin ? names[role.builtin] : undefined) ?? role.name
}
