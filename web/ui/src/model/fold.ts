/* Vietnamese text for search: an announcer types "cao lanh" and means "Cao Lãnh". Pure. */

const MARKS = /\p{Mn}/gu

/** Lower case, no diacritics, đ as d, runs of white space as one blank. */
export function fold(text: string): string {
  return text.normalize('NFD').replace(MARKS, '').replace(/[đĐ]/g, 'd').toLowerCase().replace(/\s+/g, ' ').trim()
}

export function words(query: string): string[] {
  const folded = fold(query)
  return folded === '' ? [] : folded.split(' ')
}
