import { describe, expect, it } from 'vitest'

import { fold } from '../src/model/fold.ts'
import { ancestry, buildTree, firstOpen, visibleRows, withPlaces } from '../src/model/tree.ts'
import { chance, place, randomPlaces } from './territory.ts'

const province = [
  place('dt', null, { name: 'Tỉnh Đồng Tháp' }),
  place('cl', 'dt', { name: 'Phường Cao Lãnh' }),
  place('k1', 'cl', { name: 'Khóm 1' }),
  place('k2', 'cl', { name: 'Khóm 2' }),
  place('sd', 'dt', { name: 'Phường Sa Đéc' }),
  place('s1', 'sd', { name: 'Khóm 1' }),
]
const tree = buildTree(province)
const names = (query: string, open: readonly string[] = []): string[] =>
  visibleRows(tree, new Set(open), query).map((row) => row.place.id)

describe('the line of places', () => {
  it('keeps every subtree in one run, in any tree', () => {
    const random = chance(1)
    for (let round = 0; round < 200; round++) {
      const places = randomPlaces(random)
      const built = buildTree(places)
      expect(built.line).toHaveLength(places.length)
      built.line.forEach((p, i) => {
        const below = built.line.slice(i + 1, built.end[i]).map((q) => q.id)
        const expected = places.filter((q) => q.id !== p.id && isBelow(places, q.id, p.id)).map((q) => q.id)
        expect(new Set(below)).toEqual(new Set(expected))
      })
    }
  })

  it('shows a place whose parent is unknown at the top', () => {
    expect(buildTree([place('a', 'gone')]).line.map((p) => p.id)).toEqual(['a'])
  })

  it('names the way down to a place', () => {
    expect(ancestry(tree, 'k2').map((p) => p.id)).toEqual(['dt', 'cl', 'k2'])
    expect(ancestry(tree, 'nowhere')).toEqual([])
  })

  it('takes newer contents without moving anything', () => {
    const newer = withPlaces(tree, new Map([['k1', place('k1', 'cl', { online: 7 })]]))
    expect(newer.line[2]?.online).toBe(7)
    expect(newer.line.map((p) => p.id)).toEqual(tree.line.map((p) => p.id))
  })
})

describe('what the tree shows', () => {
  it('opens branches only where asked', () => {
    expect(names('')).toEqual(['dt'])
    expect(names('', ['dt', 'sd'])).toEqual(['dt', 'cl', 'sd', 's1'])
    expect(names('', ['cl'])).toEqual(['dt'])
  })

  it('finds names without their diacritics, with the way to them', () => {
    expect(names('cao lanh')).toEqual(['dt', 'cl'])
    expect(visibleRows(tree, new Set(), 'cao lanh').map((r) => r.onlyPath)).toEqual([true, false])
  })

  it('takes further words from the names above', () => {
    expect(names('khom 1 sa dec')).toEqual(['dt', 'sd', 's1'])
    expect(names('dong thap khom 1')).toEqual(['dt', 'cl', 'k1', 'sd', 's1'])
  })

  it('finds nothing where nothing matches', () => {
    expect(names('hà nội')).toEqual([])
  })

  it('opens at first as many levels as fit on the screen', () => {
    expect([...firstOpen(tree)].sort()).toEqual(['cl', 'dt', 'sd'])
    const wide = [place('r', null), ...Array.from({ length: 60 }, (_, i) => place(`c${i}`, 'r'))]
    expect(firstOpen(buildTree(wide)).size).toBe(0)
  })
})

describe('folding', () => {
  it.each([
    ['Đồng Tháp', 'dong thap'],
    ['  Ấp  Mỹ Hưng\tHoà ', 'ap my hung hoa'],
    ['ĐƯỜNG', 'duong'],
  ])('%s', (given, folded) => expect(fold(given)).toBe(folded))
})

function isBelow(places: readonly { id: string; parent: string | null }[], id: string, above: string): boolean {
  const parent = places.find((p) => p.id === id)?.parent ?? null
  return parent !== null && (parent === above || isBelow(places, parent, above))
}
