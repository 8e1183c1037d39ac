/* The mount of a place, heard close behind the loudspeakers. An <audio> that is given the address itself starts
   after 32 KiB (Chromium), 4 s at 64 kb/s, and stays that far behind for good; here each block goes in as it comes.
   Where MediaSource takes no MP3, the address is given after all. */

const MIME = 'audio/mpeg'
/** Further behind than this after a glitch, and it goes forward to NEAR_S again. */
const LATE_S = 1.6
const NEAR_S = 0.5
/** What was heard is let go of, so that a day of listening needs no more memory than a minute. */
const KEPT_S = 20

/** Returns the way to end it. `onBroken` is called at most once, and not after that. */
export function openMount(audio: HTMLAudioElement, url: string, onBroken: () => void): () => void {
  if (!('MediaSource' in window && MediaSource.isTypeSupported(MIME))) {
    audio.src = url
    return () => undefined
  }
  const source = new MediaSource()
  const address = URL.createObjectURL(source)
  const ended = new AbortController()
  const feed = async (): Promise<void> => {
    URL.revokeObjectURL(address)
    try {
      await pour(url, ended.signal, source.addSourceBuffer(MIME), audio)
    } catch {
      // A network that broke and a mount that ended are one to the listener: it is taken up again.
    }
    if (!ended.signal.aborted) onBroken()
  }
  source.addEventListener('sourceopen', () => void feed(), { once: true })
  audio.src = address
  return () => ended.abort()
}

/** Ends with an error or when the server ends it. */
async function pour(url: string, signal: AbortSignal, buffer: SourceBuffer, audio: HTMLAudioElement): Promise<void> {
  const response = await fetch(url, { signal, cache: 'no-store' })
  if (!response.ok || !response.body) throw new Error(`${url}: ${response.status}`)
  const reader = response.body.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    await settled(buffer, () => buffer.appendBuffer(value))
    if (signal.aborted || buffer.buffered.length === 0) continue
    catchUp(audio, buffer.buffered.end(buffer.buffered.length - 1))
    const stale = audio.currentTime - KEPT_S
    if (stale - buffer.buffered.start(0) > KEPT_S) await settled(buffer, () => buffer.remove(0, stale))
  }
}

function catchUp(audio: HTMLAudioElement, endS: number): void {
  if (endS - audio.currentTime > LATE_S) audio.currentTime = endS - NEAR_S
}

function settled(buffer: SourceBuffer, change: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    buffer.addEventListener('updateend', () => resolve(), { once: true })
    buffer.addEventListener('error', () => reject(new Error('not MP3')), { once: true })
    change()
  })
}
