/* The radios that can be relayed, kept up by their events once they have been asked for. */

import { SvelteMap } from 'svelte/reactivity'

import type { Api } from '../api/client.ts'
import type { Radio } from '../api/types.ts'

export class Radios {
  loaded = $state(false)
  readonly #radios = new SvelteMap<string, Radio>()
  readonly list: readonly Radio[] = $derived([...this.#radios.values()].sort((a, b) => a.name.localeCompare(b.name)))
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const radios = await this.#api.value(this.#api.http.GET('/api/v1/radios'))
    this.#radios.clear()
    for (const radio of radios) this.apply(radio)
    this.loaded = true
  }

  apply(radio: Radio): void {
    this.#radios.set(radio.id, radio)
  }

  gone(id: string): void {
    this.#radios.delete(id)
  }

  async add(name: string, addresses: string[]): Promise<void> {
    this.apply(await this.#api.value(this.#api.http.POST('/api/v1/radios', { body: { name, addresses } })))
  }
}
