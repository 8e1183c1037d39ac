/* The language of the page. Vietnamese unless this browser chose English before. Owns the `lang` of the document. */

import { ago, clock, count, date, day, span, time, timeOfDay, type Lang } from '../model/format.ts'
import { en } from './en.ts'
import { vi, type Strings } from './vi.ts'

const TABLES: Record<Lang, Strings> = { vi, en }
const REMEMBERED = 'loa.lang'

export class I18n {
  lang: Lang = $state(localStorage.getItem(REMEMBERED) === 'en' ? 'en' : 'vi')
  t: Strings = $derived(TABLES[this.lang])

  constructor() {
    document.documentElement.lang = this.lang
  }

  choose(lang: Lang): void {
    this.lang = lang
    localStorage.setItem(REMEMBERED, lang)
    document.documentElement.lang = lang
  }

  readonly n = (value: number): string => count(value, this.lang)
  readonly time = (at: string, nowMs: number): string => time(new Date(at), new Date(nowMs), this.lang)
  readonly date = (at: string): string => date(new Date(at), this.lang)
  readonly span = (ms: number): string => span(ms, this.lang)
  readonly day = (at: string): string => day(new Date(at), this.lang)
  readonly timeOfDay = (at: string): string => timeOfDay(new Date(at), this.lang)
  readonly ago = (at: string, nowMs: number): string => ago(new Date(at), new Date(nowMs), this.lang)
  readonly clock = clock
}
