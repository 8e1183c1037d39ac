/* The tree of places as a line: places in depth-first order, so that a subtree is one run of it.
   Immutable and pure; a place whose parent is unknown stands at the top rather than vanishing. */

import type { Place } from '../api/types.ts'
import { fold, words } from './fold.ts'

export interface Tree {
  readonly line: readonly Place[]
  readonly index: ReadonlyMap<string, number>
  /** Where the subtree of line[i] ends (exclusive). */
  readonly end: readonly number[]
  readonly depth: readonly number[]
  /** The index of the parent, or -1. */
  readonly parent: readonly number[]
  readonly folded: readonly string[]
}

export function buildTree(places: readonly Place[]): Tree {
  const known = new Set(places.map((p) => p.id))
  const children = new Map<string | null, Place[]>()
  for (const place of places) {
    const above = place.parent !== null && known.has(place.parent) ? place.parent : null
    const siblings = children.get(above)
    if (siblings) siblings.push(place)
    else children.set(above, [place])
  }
  const line: Place[] = []
  const end: number[] = []
  const depth: number[] = []
  const parent: number[] = []
  const index = new Map<string, number>()
  const visit = (place: Place, level: number, above: number): void => {
    const i = line.length
    line.push(place)
    depth.push(level)
    parent.push(above)
    end.push(i + 1)
    index.set(place.id, i)
    for (const child of children.get(place.id) ?? []) visit(child, level + 1, i)
    end[i] = line.length
  }
  for (const top of children.get(null) ?? []) visit(top, 0, -1)
  return { line, index, end, depth, parent, folded: line.map((p) => fold(p.name)) }
}

/** The same line with newer contents of the same places (no place came, went or moved). */
export function withPlaces(tree: Tree, changed: ReadonlyMap<string, Place>): Tree {
  return { ...tree, line: tree.line.map((place) => changed.get(place.id) ?? place) }
}

export interface Row {
  readonly place: Place
  readonly index: number
  readonly depth: number
  readonly branch: boolean
  readonly open: boolean
  /** Shown only because something below it matches the search. */
  readonly onlyPath: boolean
}

/** What the tree shows: open branches, or while searching the matches and the way to them. */
export function visibleRows(tree: Tree, expanded: ReadonlySet<string>, query: string): Row[] {
  const wanted = words(query)
  return wanted.length === 0 ? openRows(tree, expanded) : matchingRows(tree, wanted)
}

function openRows(tree: Tree, expanded: ReadonlySet<string>): Row[] {
  const rows: Row[] = []
  for (let i = 0; i < tree.line.length;) {
    const place = tree.line[i]!
    const branch = tree.end[i]! > i + 1
    const open = branch && expanded.has(place.id)
    rows.push({ place, index: i, depth: tree.depth[i]!, branch, open, onlyPath: false })
    i = open ? i + 1 : tree.end[i]!
  }
  return rows
}

function matchingRows(tree: Tree, wanted: readonly string[]): Row[] {
  const hits = new Set<number>()
  const shown = new Set<number>()
  for (let i = 0; i < tree.line.length; i++) {
    if (!matches(tree, i, wanted)) continue
    hits.add(i)
    for (let up = i; up >= 0 && !shown.has(up); up = tree.parent[up]!) shown.add(up)
  }
  return [...shown]
    .sort((a, b) => a - b)
    .map((i) => ({
      place: tree.line[i]!,
      index: i,
      depth: tree.depth[i]!,
      branch: tree.end[i]! > i + 1,
      open: tree.end[i]! > i + 1,
      onlyPath: !hits.has(i),
    }))
}

/** Every word stands in its name or in a name above it, and at least one in its own. */
function matches(tree: Tree, i: number, wanted: readonly string[]): boolean {
  const own = tree.folded[i]!
  if (!wanted.some((word) => own.includes(word))) return false
  return wanted.every((word) => {
    for (let up = i; up >= 0; up = tree.parent[up]!) if (tree.folded[up]!.includes(word)) return true
    return false
  })
}

/** Rows that are on the screen without scrolling. */
const FIRST_ROWS = 20

/** What is open at first: level after level, as long as it fits on the screen. */
export function firstOpen(tree: Tree): ReadonlySet<string> {
  const open = new Set<string>()
  const levels = Math.max(0, ...tree.depth)
  for (let level = 0; level < levels; level++) {
    const shown = tree.depth.filter((d) => d <= level + 1).length
    if (shown > FIRST_ROWS) break
    tree.line.forEach((place, i) => tree.depth[i] === level && tree.end[i]! > i + 1 && open.add(place.id))
  }
  return open
}

/** From the top down to the place itself. */
export function ancestry(tree: Tree, id: string): Place[] {
  const names: Place[] = []
  for (let i = tree.index.get(id) ?? -1; i >= 0; i = tree.parent[i]!) names.unshift(tree.line[i]!)
  return names
}
