/* Short messages at the edge of the page, read out by screen readers; what failed is shown at its cause instead. */

const SHOWN_MS = 7000
/** More would hide the page: the oldest goes first. */
const MOST = 4

export interface Notice {
  readonly id: number
  readonly text: string
  readonly action?: { readonly label: string; readonly run: () => void }
}

export class Notices {
  list: readonly Notice[] = $state.raw([])
  #count = 0

  /** Returns the way to take it away earlier. */
  show(text: string, action?: Notice['action'], shownMs = SHOWN_MS): () => void {
    const id = ++this.#count
    const dismiss = (): void => this.dismiss(id)
    const pressed = action && { label: action.label, run: () => (dismiss(), action.run()) }
    this.list = [...this.list, pressed ? { id, text, action: pressed } : { id, text }].slice(-MOST)
    setTimeout(dismiss, shownMs)
    return dismiss
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id)
  }
}
