/* The one way to stop a broadcast from this page: our own call is ended at the microphone first. */

import type { Broadcast } from '../../api/types.ts'
import type { App } from '../../state/app.ts'

/** Stopping needs the right where it was ordered and at every target: a commune cannot stop the province's. */
export function mayStop({ access }: Pick<App, 'access'>, broadcast: Broadcast): boolean {
  const act = broadcast.cls === 'emergency' ? 'stop_alert' : 'stop'
  return [broadcast.at, ...broadcast.targets].every((place) => access.at(act, place))
}

/** Throws Problem. */
export async function stopBroadcast({ live, onAir }: App, broadcast: Broadcast, allClear = false): Promise<void> {
  if (live.started?.id === broadcast.id) await live.stop(allClear)
  else await onAir.stop(broadcast.id, broadcast.cls === 'emergency', allClear)
}
