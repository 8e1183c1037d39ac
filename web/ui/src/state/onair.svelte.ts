/* What is on air now, with how far each reaches and what the server hears of each live microphone. */

import { SvelteMap } from 'svelte/reactivity'

import type { Api } from '../api/client.ts'
import type { Broadcast, BroadcastOrder, BroadcastReach, EmergencyOrder, Level, Started } from '../api/types.ts'
import { byRank } from '../model/rank.ts'

export class OnAir {
  loaded = $state(false)
  readonly levels = new SvelteMap<string, Level>()
  readonly #broadcasts = new SvelteMap<string, Broadcast>()
  readonly list: readonly Broadcast[] = $derived([...this.#broadcasts.values()].sort(byRank))
  /** Those that sound: one that waits for its microphone is an intention yet. */
  readonly emergencies = $derived(this.list.filter((b) => b.cls === 'emergency' && b.state !== 'waiting'))

  /** Told of every change, the last one included (`state` is then "ended"). */
  onChange: (broadcast: Broadcast) => void = () => undefined
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const active = await this.#api.value(
      this.#api.http.GET('/api/v1/broadcasts', { params: { query: { active: true } } }),
    )
    const still = new Set(active.map((b) => b.id))
    for (const [id, old] of this.#broadcasts) if (!still.has(id)) this.apply({ ...old, state: 'ended' })
    for (const broadcast of active) this.apply(broadcast)
    this.loaded = true
  }

  get(id: string): Broadcast | undefined {
    return this.#broadcasts.get(id)
  }

  apply(broadcast: Broadcast): void {
    const known = this.#broadcasts.has(broadcast.id)
    if (broadcast.state === 'ended') {
      this.#broadcasts.delete(broadcast.id)
      this.levels.delete(broadcast.id)
      if (!known) return
    } else {
      this.#broadcasts.set(broadcast.id, broadcast)
    }
    this.onChange(broadcast)
  }

  applyReach(id: string, reach: BroadcastReach): void {
    const broadcast = this.#broadcasts.get(id)
    if (broadcast) this.#broadcasts.set(id, { ...broadcast, reach })
  }

  applyLevel(level: Level): void {
    if (this.#broadcasts.has(level.broadcast)) this.levels.set(level.broadcast, level)
  }

  order(body: BroadcastOrder): Promise<Started> {
    return this.#api.value(this.#api.http.POST('/api/v1/broadcasts', { body }))
  }

  alarm(body: EmergencyOrder): Promise<Started> {
    return this.#api.value(this.#api.http.POST('/api/v1/emergencies', { body }))
  }

  async stop(id: string, emergency: boolean, allClear = false): Promise<void> {
    const path = { id }
    if (emergency) {
      const params = { path, query: { all_clear: allClear } }
      await this.#api.value(this.#api.http.DELETE('/api/v1/emergencies/{id}', { params }))
    } else {
      await this.#api.done(this.#api.http.DELETE('/api/v1/broadcasts/{id}', { params: { path } }))
    }
  }

  /** Said by a page that is closing. */
  stopOnLeave(id: string, emergency: boolean): void {
    this.#api.deleteOnLeave(`/api/v1/${emergency ? 'emergencies' : 'broadcasts'}/${id}`)
  }
}
