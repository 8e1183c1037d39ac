import { describe, expect, it } from 'vitest'

import { chosen, marks, surviving, toggle, type Selection } from '../src/model/selection.ts'
import { buildTree, type Tree } from '../src/model/tree.ts'
import { chance, place, randomPlaces } from './territory.ts'

/** The oracle: every place that the order reaches, one by one. */
function covered(tree: Tree, selection: Selection): Set<string> {
  const places = new Set<string>()
  for (const id of selection) {
    const i = tree.index.get(id)
    if (i !== undefined) tree.line.slice(i, tree.end[i]).forEach((p) => places.add(p.id))
  }
  return places
}

function subtree(tree: Tree, id: string): string[] {
  const i = tree.index.get(id) ?? 0
  return tree.line.slice(i, tree.end[i]).map((p) => p.id)
}

describe('choosing places, against the oracle', () => {
  it('adds or takes exactly the pressed subtree, and never reaches a place that was not chosen', () => {
    const random = chance(7)
    for (let round = 0; round < 150; round++) {
      const tree = buildTree(randomPlaces(random))
      let selection: Selection = new Set()
      for (let press = 0; press < 12; press++) {
        const id = tree.line[Math.floor(random() * tree.line.length)]!.id
        const before = covered(tree, selection)
        const mark = marks(tree, selection)[tree.index.get(id)!]
        selection = toggle(tree, selection, id)
        const after = covered(tree, selection)
        const own = new Set(subtree(tree, id))
        for (const place of own) expect(after.has(place)).toBe(mark === 'off' || mark === 'part')
        // Elsewhere nothing is added; what goes are only the ancestors that are no longer whole.
        for (const place of after) expect(before.has(place) || own.has(place)).toBe(true)
        for (const place of before) {
          if (!own.has(place) && !after.has(place)) expect(subtree(tree, place)).toContain(id)
        }
        expectApart(tree, selection)
      }
    }
  })
})

describe('marks', () => {
  const tree = buildTree([place('r', null), place('a', 'r'), place('a1', 'a'), place('a2', 'a'), place('b', 'r')])

  it('say on, implied, part and off', () => {
    expect(marks(tree, new Set(['a']))).toEqual(['part', 'on', 'implied', 'implied', 'off'])
  })

  it('leave the rest chosen when one is taken out of a subtree', () => {
    expect([...toggle(tree, new Set(['r']), 'a1')].sort()).toEqual(['a2', 'b'])
  })

  it('ignore an unknown target instead of widening it', () => {
    expect(marks(tree, new Set(['gone']))).toEqual(['off', 'off', 'off', 'off', 'off'])
    expect(chosen(tree, new Set(['gone']))).toEqual([])
    expect([...toggle(tree, new Set(['b']), 'gone')]).toEqual(['b'])
  })
})

describe('when the tree changes', () => {
  it('drops what is gone, and what came to lie inside another target', () => {
    const moved = buildTree([place('r', null), place('a', 'r'), place('b', 'a')])
    expect([...surviving(moved, new Set(['a', 'b', 'gone']))]).toEqual(['a'])
  })
})

function expectApart(tree: Tree, selection: Selection): void {
  for (const id of selection) {
    for (const other of subtree(tree, id)) expect(other === id || !selection.has(other)).toBe(true)
  }
}
