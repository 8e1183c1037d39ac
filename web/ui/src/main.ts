/* Composition root of the page: makes every part and hands each its collaborators. */

import './app.css'

import { mount } from 'svelte'

import { Api } from './api/client.ts'
import type { LiveEvent } from './api/types.ts'
import App from './App.svelte'
import { I18n } from './i18n/i18n.svelte.ts'
import type { App as Parts } from './state/app.ts'
import { Access } from './state/access.svelte.ts'
import { Bulletins } from './state/bulletins.svelte.ts'
import { Connection } from './state/connection.svelte.ts'
import { LiveCall } from './state/live.svelte.ts'
import { Mic } from './state/mic.svelte.ts'
import { Notices } from './state/notices.svelte.ts'
import { Now } from './state/now.svelte.ts'
import { OnAir } from './state/onair.svelte.ts'
import { Places } from './state/places.svelte.ts'
import { Player } from './state/player.svelte.ts'
import { Programs } from './state/programs.svelte.ts'
import { Radios } from './state/radios.svelte.ts'
import { Route } from './state/route.svelte.ts'
import { Session } from './state/session.svelte.ts'
import { View } from './state/view.svelte.ts'
import { titleOf } from './views/drill.ts'

function build(): Parts {
  const api = new Api()
  const i18n = new I18n()
  const now = new Now()
  const notices = new Notices()
  const session = new Session(api)
  const places = new Places(api)
  const onAir = new OnAir(api)
  const programs = new Programs(api)
  const mic = new Mic()
  const live = new LiveCall(mic, onAir)
  const connection = new Connection({
    greet: (hello) => now.follow(hello.now),
    check: () => session.resume(),
    refresh: async () => void (await Promise.all([places.refresh(), onAir.refresh(), programs.refresh()])),
    apply: (event) => apply(parts, event),
  })
  const parts: Parts = {
    access: new Access(session, places),
    route: new Route(),
    ...{ api, i18n, now, notices, session, places, onAir, programs, mic, live, connection },
    bulletins: new Bulletins(api, programs),
    radios: new Radios(api),
    player: new Player(),
    view: new View(),
  }
  introduce(parts)
  return parts
}

function introduce({ i18n, notices, onAir, programs, live, connection, route, session }: Parts): void {
  session.onLogout = () => route.go('console')
  onAir.onChange = (broadcast) => {
    live.follow(broadcast)
    if (broadcast.state !== 'ended') return
    const { reached, ordered } = broadcast.reach
    notices.show(i18n.t.onAir.ended(titleOf(i18n, broadcast), i18n.n(reached), i18n.n(ordered)))
  }
  connection.onBack = () => notices.show(i18n.t.connection.back)
  addEventListener('pagehide', () => programs.leave())
}

function apply({ places, onAir, programs, radios }: Parts, event: LiveEvent): void {
  switch (event.kind) {
    case 'places':
      return places.apply(event.places)
    case 'territory':
      return void places.refresh().catch(() => undefined)
    case 'broadcast':
      return onAir.apply(event.broadcast)
    case 'reach':
      return onAir.applyReach(event.broadcast, event.reach)
    case 'level':
      return onAir.applyLevel(event)
    case 'program':
      return programs.apply(event.program)
    case 'program_gone':
      return programs.gone(event.id)
    case 'radio':
      return radios.apply(event.radio)
    case 'radio_gone':
      return radios.gone(event.id)
    case 'push':
    case 'push_gone':
    case 'speakers':
    case 'hello':
      return
  }
}

const target = document.getElementById('app')
if (target) mount(App, { target, props: { parts: build() } })
