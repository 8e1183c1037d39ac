/* Every part of the page, made once in main.ts and handed down the component tree. */

import { createContext } from 'svelte'

import type { Api } from '../api/client.ts'
import type { I18n } from '../i18n/i18n.svelte.ts'
import type { Access } from './access.svelte.ts'
import type { Bulletins } from './bulletins.svelte.ts'
import type { Connection } from './connection.svelte.ts'
import type { LiveCall } from './live.svelte.ts'
import type { Mic } from './mic.svelte.ts'
import type { Notices } from './notices.svelte.ts'
import type { Now } from './now.svelte.ts'
import type { OnAir } from './onair.svelte.ts'
import type { Places } from './places.svelte.ts'
import type { Player } from './player.svelte.ts'
import type { Programs } from './programs.svelte.ts'
import type { Radios } from './radios.svelte.ts'
import type { Route } from './route.svelte.ts'
import type { Session } from './session.svelte.ts'
import type { View } from './view.svelte.ts'

export interface App {
  readonly api: Api
  readonly i18n: I18n
  readonly now: Now
  readonly notices: Notices
  readonly session: Session
  readonly access: Access
  readonly route: Route
  readonly places: Places
  readonly onAir: OnAir
  readonly programs: Programs
  readonly bulletins: Bulletins
  readonly radios: Radios
  readonly mic: Mic
  readonly live: LiveCall
  readonly player: Player
  readonly connection: Connection
  readonly view: View
}

export const [useApp, provideApp] = createContext<App>()
