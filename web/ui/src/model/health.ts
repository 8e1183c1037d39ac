/* How a count of loudspeakers is coloured. Pure. A few of hundreds are always away, and that alarms nobody. */

export type Health = 'none' | 'all' | 'most' | 'some' | 'lost'

const MOST = 0.9

export function healthOf(online: number, speakers: number): Health {
  if (speakers === 0) return 'none'
  if (online === speakers) return 'all'
  if (online === 0) return 'lost'
  return online / speakers >= MOST ? 'most' : 'some'
}
