/* One thing that a button does: is it under way, and what went wrong. */

import { asProblem, type Problem } from '../api/problem.ts'

export class Task {
  busy = $state(false)
  problem: Problem | null = $state.raw(null)

  /** True when it was done. A second press while the first is under way does nothing. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false
    this.busy = true
    this.problem = null
    try {
      await work()
      return true
    } catch (thrown) {
      this.problem = asProblem(thrown)
      return false
    } finally {
      this.busy = false
    }
  }
}
