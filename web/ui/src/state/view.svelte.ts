/* Which part of the page is in front: a matter of narrow screens and of the two actions' tabs. */

export type Tab = 'places' | 'live' | 'files' | 'onair'

export class View {
  tab: Tab = $state('live')
  /** The action in front where places and what is on air have columns of their own. */
  action: 'live' | 'files' = $state('live')
  emergencyOpen = $state(false)
  passwordOpen = $state(false)

  show(tab: Tab): void {
    this.tab = tab
    if (tab === 'live' || tab === 'files') this.action = tab
  }
}
