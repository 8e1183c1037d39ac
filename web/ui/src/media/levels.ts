/* Reads the level of a stream once per picture of the screen. Owns one AudioContext until stopped. */

import { measure, type Level } from '../model/meter.ts'

/** 43 ms at 48 kHz: longer than a picture, so that no peak falls between two readings. */
const WINDOW_SAMPLES = 2048

export function watchLevels(stream: MediaStream, onLevel: (level: Level, nowMs: number) => void): () => void {
  const context = new AudioContext()
  const analyser = new AnalyserNode(context, { fftSize: WINDOW_SAMPLES })
  context.createMediaStreamSource(stream).connect(analyser)
  const samples = new Float32Array(WINDOW_SAMPLES)
  let frame = 0
  const read = (nowMs: number): void => {
    analyser.getFloatTimeDomainData(samples)
    onLevel(measure(samples), nowMs)
    frame = requestAnimationFrame(read)
  }
  frame = requestAnimationFrame(read)
  return () => {
    cancelAnimationFrame(frame)
    void context.close()
  }
}
