/* Passkeys: the browser's objects are buffers, the API's are JSON with base64url; this goes between.
   By hand, since parseCreationOptionsFromJSON is younger than the phones that must work. */

import { fromBase64url, toBase64url } from '../model/base64url.ts'

export type PasskeyFault = 'cancelled' | 'known' | 'unable'

export class PasskeyError extends Error {
  constructor(readonly kind: PasskeyFault) {
    super(kind)
    this.name = 'PasskeyError'
  }
}

type Json = Record<string, unknown>

export function passkeysWork(): boolean {
  return isSecureContext && 'PublicKeyCredential' in window && 'credentials' in navigator
}

/** A new passkey of this device; what the server is to be told of it. Throws PasskeyError. */
export async function makePasskey(options: Json): Promise<Json> {
  const json = inner(options)
  const user = json['user'] as Json
  const publicKey = {
    ...json,
    challenge: fromBase64url(String(json['challenge'])),
    user: { ...user, id: fromBase64url(String(user['id'])) },
    excludeCredentials: descriptors(json['excludeCredentials']),
  } as unknown as PublicKeyCredentialCreationOptions
  const made = await asked(() => navigator.credentials.create({ publicKey }))
  const response = made.response as AuthenticatorAttestationResponse
  return {
    ...common(made),
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      attestationObject: toBase64url(response.attestationObject),
      transports: response.getTransports(),
    },
  }
}

/** Proves to have a passkey; what the server is to be told. Throws PasskeyError. */
export async function showPasskey(options: Json): Promise<Json> {
  const json = inner(options)
  const publicKey = {
    ...json,
    challenge: fromBase64url(String(json['challenge'])),
    allowCredentials: descriptors(json['allowCredentials']),
  } as unknown as PublicKeyCredentialRequestOptions
  const shown = await asked(() => navigator.credentials.get({ publicKey }))
  const response = shown.response as AuthenticatorAssertionResponse
  return {
    ...common(shown),
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      authenticatorData: toBase64url(response.authenticatorData),
      signature: toBase64url(response.signature),
      userHandle: response.userHandle ? toBase64url(response.userHandle) : null,
    },
  }
}

function inner(options: Json): Json {
  return (options['publicKey'] as Json | undefined) ?? options
}

function descriptors(list: unknown): Json[] {
  if (!Array.isArray(list)) return []
  return (list as Json[]).map((one) => ({ ...one, id: fromBase64url(String(one['id'])) }))
}

function common(credential: PublicKeyCredential): Json {
  return {
    id: credential.id,
    rawId: toBase64url(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
  }
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  if (!passkeysWork()) throw new PasskeyError('unable')
  let credential: Credential | null
  try {
    credential = await ask()
  } catch (thrown) {
    throw new PasskeyError(faultOf(thrown))
  }
  if (!(credential instanceof PublicKeyCredential)) throw new PasskeyError('cancelled')
  return credential
}

/** SecurityError: the address is no name (127.0.0.1, 192.168...), or not the one the server has. */
function faultOf(thrown: unknown): PasskeyFault {
  const name = thrown instanceof Error ? thrown.name : ''
  if (name === 'InvalidStateError') return 'known'
  return name === 'SecurityError' || name === 'NotSupportedError' ? 'unable' : 'cancelled'
}
