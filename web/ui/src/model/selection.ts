/* Which places an order goes to. A selection is a set of subtrees, none inside another.
   Pure; unknown ids are dropped, never widened: an unreadable target is nobody. */

import type { Place } from '../api/types.ts'
import type { Tree } from './tree.ts'

export type Mark = 'off' | 'on' | 'implied' | 'part'
export type Selection = ReadonlySet<string>

/** The mark of every place of the line, by index. */
export function marks(tree: Tree, selection: Selection): Mark[] {
  const result = new Array<Mark>(tree.line.length).fill('off')
  for (const place of chosen(tree, selection)) {
    const i = tree.index.get(place.id)!
    result.fill('implied', i + 1, tree.end[i]!)
    result[i] = 'on'
    for (let up = tree.parent[i]!; up >= 0 && result[up] !== 'part'; up = tree.parent[up]!) result[up] = 'part'
  }
  return result
}

/** The chosen places in the order of the line. */
export function chosen(tree: Tree, selection: Selection): Place[] {
  const at = [...selection].flatMap((id) => tree.index.get(id) ?? [])
  return at.sort((a, b) => a - b).map((i) => tree.line[i]!)
}

/** One press on a place's box. Taking one place out of a chosen subtree leaves the rest of it chosen. */
export function toggle(tree: Tree, selection: Selection, id: string): Selection {
  const i = tree.index.get(id)
  if (i === undefined) return selection
  const next = new Set(selection)
  if (next.delete(id)) return next
  const cover = coveredBy(tree, selection, i)
  if (cover === -1) {
    for (const other of selection) if (isInside(tree, other, i)) next.delete(other)
    next.add(id)
    return next
  }
  next.delete(tree.line[cover]!.id)
  for (let at = i; at !== cover; at = tree.parent[at]!) {
    const above = tree.parent[at]!
    for (let child = above + 1; child < tree.end[above]!; child = tree.end[child]!) {
      if (child !== at) next.add(tree.line[child]!.id)
    }
  }
  return next
}

function coveredBy(tree: Tree, selection: Selection, i: number): number {
  for (let up = tree.parent[i]!; up >= 0; up = tree.parent[up]!) if (selection.has(tree.line[up]!.id)) return up
  return -1
}

function isInside(tree: Tree, id: string, i: number): boolean {
  const at = tree.index.get(id)
  return at !== undefined && at > i && at < tree.end[i]!
}

/** What is left of a selection after the tree has changed. */
export function surviving(tree: Tree, selection: Selection): Selection {
  const left = new Set([...selection].filter((id) => tree.index.has(id)))
  for (const id of [...left]) if (coveredBy(tree, left, tree.index.get(id)!) !== -1) left.delete(id)
  return left
}
