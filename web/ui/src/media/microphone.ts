/* The microphone, and in words that lead somewhere why there is none. */

export type MicFault = 'denied' | 'missing' | 'inUse' | 'insecure' | 'lost' | 'link' | 'ended'

export class MicError extends Error {
  constructor(readonly fault: MicFault) {
    super(fault)
    this.name = 'MicError'
  }
}

export interface MicSettings {
  /** Empty: whatever the system gives. */
  readonly deviceId: string
  readonly noiseSuppression: boolean
  readonly autoGainControl: boolean
}

/** Noise suppression on: village offices have fans and roosters. Automatic gain off: the server levels the voice,
    and two levellers in a row pump. */
export const MIC_DEFAULTS: MicSettings = { deviceId: '', noiseSuppression: true, autoGainControl: false }

const FAULTS: Record<string, MicFault> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'inUse',
  AbortError: 'inUse',
}

export function faultOf(thrown: unknown): MicFault {
  return (thrown instanceof Error && FAULTS[thrown.name]) || 'missing'
}

/** Echo cancellation is off: the page is silent while the microphone is open, so there is no echo to take out,
    and the canceller would only narrow and duck the voice. */
function constraints(settings: MicSettings): MediaStreamConstraints {
  return {
    video: false,
    audio: {
      channelCount: 1,
      sampleRate: 48000,
      echoCancellation: false,
      noiseSuppression: settings.noiseSuppression,
      autoGainControl: settings.autoGainControl,
      ...(settings.deviceId ? { deviceId: { exact: settings.deviceId } } : {}),
    },
  }
}

/** Throws MicError. A remembered device that is no longer plugged in gives way to the default one. */
export async function openMicrophone(settings: MicSettings): Promise<MediaStream> {
  const devices = (navigator as Partial<Navigator>).mediaDevices
  if (!devices) throw new MicError('insecure')
  try {
    return await devices.getUserMedia(constraints(settings))
  } catch (thrown) {
    const fault = faultOf(thrown)
    if (fault === 'missing' && settings.deviceId) return openMicrophone({ ...settings, deviceId: '' })
    throw new MicError(fault)
  }
}

/** Names are empty until the microphone was allowed once. */
export async function listMicrophones(): Promise<MediaDeviceInfo[]> {
  const devices = (navigator as Partial<Navigator>).mediaDevices
  if (!devices) return []
  return (await devices.enumerateDevices()).filter((d) => d.kind === 'audioinput' && d.deviceId !== '')
}

export function closeMicrophone(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
