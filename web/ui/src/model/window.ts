/* Which rows of a long list are on the screen. Pure. */

export interface Span {
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

/** Rows beyond the edges, so that a quick flick shows rows and not a blank. */
const OVERSCAN = 6

export function visibleSpan(scrollPx: number, heightPx: number, rowPx: number, count: number): Span {
  const first = Math.floor(Math.max(0, scrollPx) / rowPx)
  const last = Math.ceil((Math.max(0, scrollPx) + heightPx) / rowPx)
  const to = Math.min(count, last + OVERSCAN)
  return { from: Math.max(0, Math.min(first - OVERSCAN, to)), to }
}

/** The scroll position that brings a row into view with the least movement. */
export function reveal(row: number, scrollPx: number, heightPx: number, rowPx: number): number {
  const top = row * rowPx
  if (top < scrollPx) return top
  const bottom = top + rowPx
  return bottom > scrollPx + heightPx ? bottom - heightPx : scrollPx
}
