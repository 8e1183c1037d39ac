/* What a key is called on the page; one that it does not know keeps its own name. From the second of its kind
   on, the server gives it a number. */

import type { I18n } from '../i18n/i18n.svelte.ts'

export function keyName({ t }: Pick<I18n, 't'>, what: string): string {
  const names: Record<string, string> = t.keys.what
  const [, kind = what, number = ''] = /^([a-z]+)[ -]?(\d*)$/.exec(what) ?? []
  return [names[kind] ?? kind, number].filter((part) => part !== '').join(' ')
}
