/* The uploaded programs, the uploads under way, and deletions that may still be taken back. */

import { SvelteMap } from 'svelte/reactivity'

import type { Api } from '../api/client.ts'
import { asProblem, type Problem } from '../api/problem.ts'
import type { Program } from '../api/types.ts'
import { upload, type Upload } from '../api/upload.ts'

/** How long a deletion can be taken back. */
export const UNDO_MS = 7000

export class Uploading {
  sent = $state(0)
  problem: Problem | null = $state.raw(null)
  constructor(
    readonly key: number,
    readonly name: string,
    readonly bytes: number,
  ) {}
}

export class Programs {
  loaded = $state(false)
  uploads: readonly Uploading[] = $state.raw([])
  readonly #programs = new SvelteMap<string, Program>()
  readonly #leaving = new SvelteMap<string, ReturnType<typeof setTimeout>>()
  readonly list: readonly Program[] = $derived(
    [...this.#programs.values()]
      .filter((p) => !this.#leaving.has(p.id))
      .sort((a, b) => b.created_at.localeCompare(a.created_at)),
  )
  readonly ready = $derived(this.list.filter((p) => p.state === 'ready'))
  readonly #api: Api
  readonly #running = new Map<number, Upload>()
  #count = 0

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const programs = await this.#api.value(this.#api.http.GET('/api/v1/programs'))
    const still = new Set(programs.map((p) => p.id))
    for (const id of this.#programs.keys()) if (!still.has(id)) this.#programs.delete(id)
    for (const program of programs) this.apply(program)
    this.loaded = true
  }

  get(id: string): Program | undefined {
    return this.#programs.get(id)
  }

  apply(program: Program): void {
    this.#programs.set(program.id, program)
  }

  gone(id: string): void {
    this.#programs.delete(id)
  }

  async add(file: File): Promise<void> {
    const shown = new Uploading(++this.#count, file.name, file.size)
    this.uploads = [...this.uploads, shown]
    const running = upload(file, this.#api.headers(), (fraction) => (shown.sent = fraction))
    this.#running.set(shown.key, running)
    try {
      this.apply(await running.done)
      this.dismiss(shown.key)
    } catch (thrown) {
      shown.problem = asProblem(thrown)
      if (shown.problem.kind === 'unauthorized') this.#api.onUnauthorized()
    } finally {
      this.#running.delete(shown.key)
    }
  }

  /** Ends an upload under way, and takes a failed one off the list. */
  dismiss(key: number): void {
    this.#running.get(key)?.cancel()
    this.uploads = this.uploads.filter((u) => u.key !== key)
  }

  /** Gone from the list at once, from the server when the time to undo is over. `failed` is told if it stays. */
  remove(id: string, failed: (problem: Problem) => void): void {
    const later = setTimeout(() => void this.#delete(id, failed), UNDO_MS)
    this.#leaving.set(id, later)
  }

  keep(id: string): void {
    clearTimeout(this.#leaving.get(id))
    this.#leaving.delete(id)
  }

  /** The page closes: what was deleted stays deleted. */
  leave(): void {
    for (const id of this.#leaving.keys()) this.#api.deleteOnLeave(`/api/v1/programs/${id}`)
  }

  async #delete(id: string, failed: (problem: Problem) => void): Promise<void> {
    try {
      await this.#api.done(this.#api.http.DELETE('/api/v1/programs/{id}', { params: { path: { id } } }))
      this.gone(id)
    } catch (thrown) {
      const problem = asProblem(thrown)
      if (problem.kind !== 'missing') failed(problem)
    }
    this.#leaving.delete(id)
  }
}
