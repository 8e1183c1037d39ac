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

/** How long something still is, in the two units that count: "6 ngày 23 giờ", "12 phút 5 giây". */
export function span(ms: number, lang: Lang): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts = [
    [Math.floor(seconds / 86400), 'day'],
    [Math.floor(seconds / 3600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ] as const
  const first = Math.max(0, Math.min(parts.length - 2, parts.findIndex(([n]) => n > 0)))
  const from = parts.every(([n]) => n === 0) || seconds < 60 ? parts.length - 1 : first
  return parts
    .slice(from, from + 2)
    .map(([n, unit]) => new Intl.NumberFormat(LOCALES[lang], { style: 'unit', unit, unitDisplay: 'long' }).format(n))
    .join(' ')
}

/** "Chủ nhật, 22 tháng 11, 2026" */
export function day(at: Date, lang: Lang): string {
  return new Intl.DateTimeFormat(LOCALES[lang], { dateStyle: 'full' }).format(at)
}

/** "05:12:07" */
export function timeOfDay(at: Date, lang: Lang): string {
  return new Intl.DateTimeFormat(LOCALES[lang], { timeStyle: 'medium' }).format(at)
}

/** "22/11/2026" */
export function date(at: Date, lang: Lang): string {
  return new Intl.DateTimeFormat(LOCALES[lang], { day: '2-digit', month: '2-digit', year: 'numeric' }).format(at)
}

/** Days that are left, rounded down; negative when it is over. */
export function daysUntil(at: string, nowMs: number): number {
  return Math.floor((Date.parse(at) - nowMs) / 86_400_000)
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
