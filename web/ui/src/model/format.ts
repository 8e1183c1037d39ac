/* Numbers, durations and times as people read them. Pure; the language and now are passed in. */

export type Lang = 'vi' | 'en'

const LOCALES: Record<Lang, string> = { vi: 'vi-VN', en: 'en-GB' }

/** 0:07, 12:30, 1:02:33 */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const s = String(whole % 60).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes}:${s}`
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${s}`
}

export function count(value: number, lang: Lang): string {
  return new Intl.NumberFormat(LOCALES[lang]).format(value)
}

/** "05:12", with the day when it was not today. */
export function time(at: Date, now: Date, lang: Lang): string {
  const today = at.toDateString() === now.toDateString()
  const day: Intl.DateTimeFormatOptions = today ? {} : { day: '2-digit', month: '2-digit' }
  return new Intl.DateTimeFormat(LOCALES[lang], { hour: '2-digit', minute: '2-digit', ...day }).format(at)
}

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]

/** "3 phút trước" */
export function ago(at: Date, now: Date, lang: Lang): string {
  const seconds = Math.max(0, Math.round((now.getTime() - at.getTime()) / 1000))
  const [unit, size] = STEPS.find(([, step]) => seconds >= step) ?? ['second', 1]
  return new Intl.RelativeTimeFormat(LOCALES[lang], { numeric: 'auto' }).format(-Math.floor(seconds / size), unit)
}

export function megabytes(bytes: number, lang: Lang): string {
  return `${new Intl.NumberFormat(LOCALES[lang], { maximumFractionDigits: 1 }).format(bytes / 1e6)} MB`
}
