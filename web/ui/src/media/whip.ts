/* A WHIP client (RFC 9725) for one microphone: offer out, answer in, DELETE at the end. No STUN or other server
   is ever asked: the node has an address that its operators reach. */

import { parseProblem, Problem } from '../api/problem.ts'
import type { Whip } from '../api/types.ts'
import { MicError } from './microphone.ts'

/** Candidates of this machine's own addresses come within a moment; one that hangs is not waited for. */
const GATHER_MS = 1500
const CONNECT_MS = 10000
/** The voice goes through one more encoder at the server: be generous on the way there. */
const MAX_BITRATE = 64000

export class Publication {
  /** The link broke for good. Not called after close(). */
  onLost: () => void = () => undefined
  readonly #peer = new RTCPeerConnection({ iceServers: [] })
  readonly #whip: Whip
  #resource = ''
  #closed = false

  constructor(whip: Whip) {
    this.#whip = whip
  }

  /** Resolves when the sound can flow. Throws Problem (the server's no) or MicError (no way through). */
  async open(stream: MediaStream): Promise<void> {
    const track = stream.getAudioTracks()[0]
    if (!track) throw new MicError('missing')
    this.#peer.addTransceiver(track, {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [{ maxBitrate: MAX_BITRATE, priority: 'high', networkPriority: 'high' }],
    })
    await this.#peer.setLocalDescription(await this.#peer.createOffer())
    await gathered(this.#peer)
    const answer = await this.#offer(this.#peer.localDescription?.sdp ?? '')
    if (this.#closed) return this.#remove()
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer })
    await connected(this.#peer)
    this.#peer.addEventListener('connectionstatechange', () => {
      if (!this.#closed && ['failed', 'closed'].includes(this.#peer.connectionState)) this.onLost()
    })
  }

  async #offer(sdp: string): Promise<string> {
    const url = new URL(this.#whip.url, location.href)
    const headers = { ...this.#headers(), 'Content-Type': 'application/sdp' }
    const response = await fetch(url, { method: 'POST', headers, body: sdp }).catch(() => {
      throw new Problem('offline')
    })
    const text = await response.text()
    if (response.status !== 201) throw parseProblem(response.status, jsonOrNull(text))
    const resource = response.headers.get('Location')
    if (resource) this.#resource = new URL(resource, url).href
    return text
  }

  #headers(): Record<string, string> {
    return { Authorization: `Bearer ${this.#whip.token}` }
  }

  /** Ends it here at once. `tell`: the server does not know yet; `keepalive` lets the word out of a closing page. */
  close(tell: boolean): void {
    if (this.#closed) return
    this.#closed = true
    if (tell) this.#remove()
    this.#peer.close()
  }

  #remove(): void {
    if (!this.#resource) return
    const request = { method: 'DELETE', headers: this.#headers(), keepalive: true }
    void fetch(this.#resource, request).catch(() => undefined)
    this.#resource = ''
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function gathered(peer: RTCPeerConnection): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      if (peer.iceGatheringState === 'complete') resolve()
    }
    peer.addEventListener('icegatheringstatechange', done)
    setTimeout(resolve, GATHER_MS)
    done()
  })
}

function connected(peer: RTCPeerConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new MicError('link'))
    const look = (): void => {
      if (peer.connectionState === 'connected') resolve()
      else if (['failed', 'closed'].includes(peer.connectionState)) fail()
    }
    peer.addEventListener('connectionstatechange', look)
    setTimeout(fail, CONNECT_MS)
    look()
  })
}
