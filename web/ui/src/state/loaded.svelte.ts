/* Something that a page reads from the server when it opens, and again when it has changed it. */

import { asProblem, type Problem } from '../api/problem.ts'

export class Loaded<T> {
  value: T | null = $state.raw(null)
  problem: Problem | null = $state.raw(null)
  readonly #read: () => Promise<T>
  #asked = 0

  constructor(read: () => Promise<T>) {
    this.#read = read
    void this.refresh()
  }

  /** The latest question wins, whatever order the answers come in. */
  async refresh(): Promise<void> {
    const asked = ++this.#asked
    try {
      const value = await this.#read()
      if (asked !== this.#asked) return
      this.value = value
      this.problem = null
    } catch (thrown) {
      if (asked === this.#asked) this.problem = asProblem(thrown)
    }
  }
}
