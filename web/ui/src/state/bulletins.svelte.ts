/* The bulletin that is being typed. It outlives the panel: who looks at another tab finds the words again. */

import type { Api } from '../api/client.ts'
import type { Program } from '../api/types.ts'
import { bulletin, EMPTY, filled, spoken, spokenPart, type Draft } from '../model/bulletin.ts'
import type { Programs } from './programs.svelte.ts'

export class Bulletins {
  draft: Draft = $state.raw(EMPTY)
  #made: string | null = $state(null)
  readonly #api: Api
  readonly #programs: Programs
  /** The program that the draft became, until it is deleted. */
  readonly made: Program | null = $derived.by(() => this.#programs.list.find((p) => p.id === this.#made) ?? null)

  constructor(api: Api, programs: Programs) {
    this.#api = api
    this.#programs = programs
  }

  /** The first minute as it will sound. */
  preview(draft: Draft): Promise<Blob> {
    const options = { body: spoken(draft), parseAs: 'blob', fetch: this.#api.patient } as const
    return this.#api.value(this.#api.http.POST('/api/v1/texts/preview', options))
  }

  /** In the words that will be spoken, part by part. */
  reading(draft: Draft): Promise<string[]> {
    const said = filled(draft).map(async (part) => {
      const body = spokenPart(part)
      return (await this.#api.value(this.#api.http.POST('/api/v1/texts/reading', { body }))).said
    })
    return Promise.all(said)
  }

  async save(): Promise<void> {
    const body = bulletin(this.draft)
    const program = await this.#api.value(this.#api.http.POST('/api/v1/texts', { body }))
    // Its events may have come first and know more.
    if (!this.#programs.get(program.id)) this.#programs.apply(program)
    this.#made = program.id
  }

  /** Back to the words, to change them and save them anew. */
  edit(): void {
    this.#made = null
  }

  clear(): void {
    this.#made = null
    this.draft = EMPTY
  }
}
