/* The one way to stop a broadcast from this page: our own call is ended at the microphone first. */

import type { Broadcast } from '../../api/types.ts'
import type { App } from '../../state/app.ts'

/** Throws Problem. */
export async function stopBroadcast({ live, onAir }: App, broadcast: Broadcast, allClear = false): Promise<void> {
  if (live.started?.id === broadcast.id) await live.stop(allClear)
  else await onAir.stop(broadcast.id, broadcast.cls === 'emergency', allClear)
}
