/* A drill says so wherever it is named. */

import type { I18n } from '../i18n/i18n.svelte.ts'
import type { BroadcastClass } from '../api/types.ts'

interface Sounding {
  readonly cls: BroadcastClass
  readonly drill: boolean
}

/** The colour it has on the page. */
export function toneOf({ cls, drill }: Sounding): BroadcastClass | 'drill' {
  return drill ? 'drill' : cls
}

/** "Khẩn cấp", or "DIỄN TẬP". */
export function className({ t }: Pick<I18n, 't'>, { cls, drill }: Sounding): string {
  return drill ? t.emergency.drillWord : t.cls[cls]
}

/** Its title, with the word before it when it is a drill. */
export function titleOf({ t }: Pick<I18n, 't'>, { title, drill }: { title: string; drill: boolean }): string {
  return drill ? `${t.emergency.drillWord} · ${title}` : title
}
