/* Which part of the page is in front: a matter of narrow screens and of the actions' tabs. */

export type Tab = 'places' | 'live' | 'files' | 'text' | 'onair'

export class View {
  tab: Tab = $state('live')
  /** The action in front where places and what is on air have columns of their own. */
  action: 'live' | 'files' | 'text' = $state('live')
  emergencyOpen = $state(false)
  passwordOpen = $state(false)

  show(tab: Tab): void {
    this.tab = tab
    if (tab === 'live' || tab === 'files' || tab === 'text') this.action = tab
  }
}
