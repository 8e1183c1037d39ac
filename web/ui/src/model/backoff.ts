/* When to try again. Pure: `chance` (0 to 1) is passed in. Jittered, so that a hundred pages that lost
   the same server do not all come back in the same moment. */

const FIRST_MS = 1000
const LONGEST_MS = 15000

export function retryAfterMs(attempt: number, chance: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempt))
  return Math.round(ceiling * (0.5 + 0.5 * chance))
}
