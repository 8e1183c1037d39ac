/* The present, second by second, on the server's clock as far as its greeting told it. Owns one interval. */

export class Now {
  /** This machine's own clock, for what began here. */
  localMs = $state(Date.now())
  #offsetMs = $state(0)
  readonly ms = $derived(this.localMs + this.#offsetMs)

  constructor() {
    setInterval(() => (this.localMs = Date.now()), 1000)
  }

  /** What the server says it is now; the way here took some milliseconds, which no display shows. */
  follow(server: string): void {
    const at = Date.parse(server)
    if (!Number.isNaN(at)) this.#offsetMs = at - Date.now()
  }

  secondsSince(at: string | null): number {
    if (at === null) return 0
    return Math.max(0, (this.ms - Date.parse(at)) / 1000)
  }
}
