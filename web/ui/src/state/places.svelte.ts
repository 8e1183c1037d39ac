/* The territory as the page knows it: the tree, what is open in it, what is chosen as target, what is looked at.
   Live changes arrive in bursts (an emergency touches every place), so they are gathered and drawn together. */

import type { Api } from '../api/client.ts'
import type { Place, PlaceLive } from '../api/types.ts'
import { chosen, marks, surviving, toggle, type Selection } from '../model/selection.ts'
import { buildTree, firstOpen, visibleRows, withPlaces, type Tree } from '../model/tree.ts'

/** Four pictures a second are enough for the eye and cheap for an old laptop. */
const GATHER_MS = 250

export class Places {
  tree: Tree = $state.raw(buildTree([]))
  loaded = $state(false)
  expanded: ReadonlySet<string> = $state.raw(new Set<string>())
  query = $state('')
  selection: Selection = $state.raw(new Set<string>())
  lookedAt: string | null = $state(null)

  readonly rows = $derived(visibleRows(this.tree, this.expanded, this.query))
  readonly marks = $derived(marks(this.tree, this.selection))
  readonly targets = $derived(chosen(this.tree, this.selection))

  readonly #api: Api
  readonly #waiting = new Map<string, PlaceLive>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const places = await this.#api.value(this.#api.http.GET('/api/v1/places'))
    this.tree = buildTree(places)
    this.selection = surviving(this.tree, this.selection)
    if (!this.loaded) this.expanded = firstOpen(this.tree)
    this.loaded = true
  }

  apply(changes: readonly PlaceLive[]): void {
    for (const change of changes) this.#waiting.set(change.id, change)
    this.#timer ??= setTimeout(() => this.#draw(), GATHER_MS)
  }

  #draw(): void {
    this.#timer = undefined
    const changed = new Map<string, Place>()
    for (const [id, live] of this.#waiting) {
      const place = this.get(id)
      if (place) changed.set(id, { ...place, ...live })
    }
    this.#waiting.clear()
    if (changed.size > 0) this.tree = withPlaces(this.tree, changed)
  }

  get(id: string): Place | undefined {
    const i = this.tree.index.get(id)
    return i === undefined ? undefined : this.tree.line[i]
  }

  name(id: string): string {
    return this.get(id)?.name ?? id
  }

  /** With the place above it: there is an "Ấp 1" in every commune. */
  address(id: string): string {
    const place = this.get(id)
    const above = place?.parent == null ? undefined : this.get(place.parent)
    return place && above && above.parent !== null ? `${place.name}, ${above.name}` : this.name(id)
  }

  toggleOpen(id: string): void {
    const next = new Set(this.expanded)
    if (!next.delete(id)) next.add(id)
    this.expanded = next
  }

  toggleTarget(id: string): void {
    this.selection = toggle(this.tree, this.selection, id)
  }

  choose(ids: readonly string[]): void {
    this.selection = surviving(this.tree, new Set(ids))
  }

  look(id: string | null): void {
    this.lookedAt = id
  }
}
