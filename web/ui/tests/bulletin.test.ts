import { describe, expect, it } from 'vitest'

import {
  bulletin,
  changePart,
  chars,
  EMPTY,
  languageName,
  languagesOf,
  MAX_CHARS,
  MAX_PARTS,
  missing,
  spoken,
  withoutPart,
  withPart,
  type Draft,
} from '../src/model/bulletin.ts'

const typed = (text: string, more: Partial<Draft> = {}): Draft => ({ ...changePart(EMPTY, 0, { text }), ...more })

describe('what a bulletin still lacks', () => {
  it('is its words first, then its title', () => {
    expect(missing(EMPTY)).toBe('text')
    expect(missing(typed(' \n '))).toBe('text')
    expect(missing(typed('Họp dân'))).toBe('title')
    expect(missing(typed('Họp dân', { title: '  ' }))).toBe('title')
    expect(missing(typed('Họp dân', { title: 'Họp' }))).toBeNull()
  })

  it('is measure, when all parts together are too long', () => {
    const full = typed('a'.repeat(MAX_CHARS), { title: 'Dài' })
    expect(missing(full)).toBeNull()
    expect(missing(changePart(withPart(full), 1, { text: 'b' }))).toBe('long')
  })

  it('counts characters and not their halves', () => {
    expect(chars(typed('ế😀'))).toBe(2)
  })
})

describe('the parts', () => {
  it('follow the language of the last, up to what the server takes', () => {
    let draft = withPart(changePart(EMPTY, 0, { language: 'km' }))
    expect(draft.parts.map((part) => part.language)).toEqual(['km', 'km'])
    for (let i = 0; i < 2 * MAX_PARTS; i++) draft = withPart(draft)
    expect(draft.parts).toHaveLength(MAX_PARTS)
    expect(new Set(draft.parts.map((part) => part.key)).size).toBe(MAX_PARTS)
  })

  it('never share a key, whichever was removed', () => {
    const three = withPart(withPart(EMPTY))
    expect(withPart(withoutPart(three, 1)).parts.map((part) => part.key)).toEqual([0, 2, 3])
  })

  it('are one at least', () => {
    expect(withoutPart(EMPTY, 0)).toBe(EMPTY)
  })

  it('drop a voice of another language', () => {
    const south = changePart(EMPTY, 0, { voice: 'vi-vn-x-south' })
    expect(changePart(south, 0, { text: 'a' }).parts[0]?.voice).toBe('vi-vn-x-south')
    expect(changePart(south, 0, { language: 'en' }).parts[0]?.voice).toBe('')
  })
})

describe('the request', () => {
  it('leaves out what was left empty', () => {
    const draft = withPart(typed(' Họp dân \n', { title: ' Họp ', chime: 'none' }))
    expect(bulletin(draft)).toEqual({ title: 'Họp', parts: [{ language: 'vi', text: 'Họp dân' }], speed: 1 })
  })

  it('says all that was chosen', () => {
    const draft = changePart(typed('Họp', { speed: 0.9, chime: 'warning', bed: true }), 0, { voice: 'vi-vn-x-south' })
    expect(spoken(draft)).toEqual({
      parts: [{ language: 'vi', text: 'Họp', voice: 'vi-vn-x-south' }],
      speed: 0.9,
      chime: 'warning',
      bed: { kind: 'house' },
    })
  })
})

describe('languages', () => {
  const voice = (id: string, language: string) => ({ id, language, name: id, engine: 'e', first: true })

  it('come once each, in the order of the voices', () => {
    expect(languagesOf([voice('vi', 'vi'), voice('south', 'vi'), voice('en', 'en')])).toEqual(['vi', 'en'])
  })

  it('have a name in the language of the reader, and keep their tag where nobody knows one', () => {
    expect(languageName('km', 'en')).toBe('Khmer')
    expect(languageName('vi', 'vi')).toBe('Tiếng Việt')
    expect(languageName('not a tag', 'vi')).toBe('not a tag')
  })
})
