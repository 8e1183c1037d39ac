/* A bulletin while it is typed: its parts, what is still missing, and the request that it becomes. Pure. */

import type { Bulletin, Chime, Spoken, Voice } from '../api/types.ts'

/** What the server takes. */
export const MAX_CHARS = 20000
export const MAX_PARTS = 20
export const FIRST_LANGUAGE = 'vi'
/** Beside an announcer's; slower carries better over a horn with an echo. */
export const SPEEDS = [0.75, 0.9, 1, 1.15, 1.3, 1.5] as const

export interface DraftPart {
  readonly key: number
  readonly language: string
  readonly text: string
  /** Empty: the first voice of the language. */
  readonly voice: string
}

export interface Draft {
  readonly title: string
  readonly parts: readonly DraftPart[]
  readonly speed: number
  readonly chime: Chime | 'none'
  readonly bed: boolean
}

export const EMPTY: Draft = {
  title: '',
  parts: [{ key: 0, language: FIRST_LANGUAGE, text: '', voice: '' }],
  speed: 1,
  chime: 'information',
  bed: false,
}

/** One more part at the end, in the language of the last. */
export function withPart(draft: Draft): Draft {
  if (draft.parts.length >= MAX_PARTS) return draft
  const key = 1 + Math.max(-1, ...draft.parts.map((part) => part.key))
  const language = draft.parts.at(-1)?.language ?? FIRST_LANGUAGE
  return { ...draft, parts: [...draft.parts, { key, language, text: '', voice: '' }] }
}

/** The last one stays. */
export function withoutPart(draft: Draft, key: number): Draft {
  return draft.parts.length === 1 ? draft : { ...draft, parts: draft.parts.filter((part) => part.key !== key) }
}

/** A voice belongs to its language: another language begins with its first. */
export function changePart(draft: Draft, key: number, change: Partial<Omit<DraftPart, 'key'>>): Draft {
  const changed = (part: DraftPart): DraftPart => {
    const voice = change.language !== undefined && change.language !== part.language ? '' : part.voice
    return { ...part, voice, ...change }
  }
  return { ...draft, parts: draft.parts.map((part) => (part.key === key ? changed(part) : part)) }
}

/** In code points, as the server counts them. */
export const chars = ({ parts }: Draft): number => parts.reduce((sum, part) => sum + [...part.text].length, 0)

export type Missing = 'text' | 'title' | 'long'

/** Why it cannot be saved yet. Nobody needs a title to hear it. */
export function missing(draft: Draft): Missing | null {
  if (filled(draft).length === 0) return 'text'
  if (chars(draft) > MAX_CHARS) return 'long'
  return draft.title.trim() === '' ? 'title' : null
}

/** Parts that were left empty are left out. */
export const filled = ({ parts }: Draft): readonly DraftPart[] => parts.filter((part) => part.text.trim() !== '')

export function spoken(draft: Draft): Spoken {
  return {
    parts: filled(draft).map(spokenPart),
    speed: draft.speed,
    ...(draft.chime === 'none' ? {} : { chime: draft.chime }),
    ...(draft.bed ? { bed: { kind: 'house' as const } } : {}),
  }
}

export const spokenPart = ({ language, text, voice }: DraftPart): Spoken['parts'][number] => ({
  language,
  text: text.trim(),
  ...(voice === '' ? {} : { voice }),
})

export const bulletin = (draft: Draft): Bulletin => ({ ...spoken(draft), title: draft.title.trim() })

/** In the order of the voices, the best first. */
export const languagesOf = (voices: readonly Voice[]): string[] => [...new Set(voices.map((voice) => voice.language))]

/** "en-us" as the reader calls it; a tag that nobody knows stays a tag. */
export function languageName(tag: string, reader: string): string {
  try {
    return new Intl.DisplayNames([reader], { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}
