/* What the page of `bench/mouth_to_ear.py` does: captures the fake microphone, sends it by WHIP, and keeps
   what it sends with the Unix time at which each piece reached the page. */
(() => {
  const now = () => performance.timeOrigin + performance.now()
  const pieces = []
  let peer, stream, reader

  async function gathered() {
    while (peer.iceGatheringState !== 'complete') await new Promise((done) => setTimeout(done, 10))
  }

  async function keep(track) {
    reader = new MediaStreamTrackProcessor({ track }).readable.getReader()
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const ms = now(), sound = read.value
      const samples = new Float32Array(sound.numberOfFrames)
      sound.copyTo(samples, { planeIndex: 0, format: 'f32-planar' })
      pieces.push({ ms, rate: sound.sampleRate, samples })
      sound.close()
    }
  }

  window.microphone = {
    async open({ url, token }) {
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }
      const audio = { ...plain, channelCount: 1, sampleRate: 48000 }
      stream = await navigator.mediaDevices.getUserMedia({ audio })
      const [track] = stream.getAudioTracks()
      void keep(track)
      peer = new RTCPeerConnection({ iceServers: [] })
      peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] })
      await peer.setLocalDescription(await peer.createOffer())
      await gathered()
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' }
      const answer = await fetch(url, { method: 'POST', headers, body: peer.localDescription.sdp })
      if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`)
      await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
    },

    /* Everything that was captured: per piece when it came (Unix time in ms), its rate and int16 samples. */
    async close() {
      await reader.cancel()
      stream.getTracks().forEach((track) => track.stop())
      peer.close()
      return pieces.map(({ ms, rate, samples }) => {
        const whole = Int16Array.from(samples, (x) => Math.max(-1, Math.min(1, x)) * 32767)
        const bytes = new Uint8Array(whole.buffer)
        return [ms, rate, btoa(String.fromCharCode(...bytes))]
      })
    },
  }
})()
