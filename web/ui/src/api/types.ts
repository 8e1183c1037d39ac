/* Names for what the API speaks of, taken from the generated types: nothing here is written by hand. */

import type { components } from './schema.d.ts'

type Schemas = components['schemas']

export type SessionInfo = Schemas['SessionOut']
export type Account = Schemas['Account']
export type Place = Schemas['PlaceOut']
export type Playing = Schemas['Playing']
export type Speaker = Schemas['SpeakerOut']
export type Program = Schemas['ProgramOut']
export type Broadcast = Schemas['BroadcastOut']
export type BroadcastClass = Schemas['ClassName']
export type BroadcastReach = Schemas['BroadcastReach']
export type BroadcastOrder = Schemas['BroadcastIn']
export type EmergencyOrder = Schemas['EmergencyIn']
export type Started = Schemas['StartedOut']
export type Whip = Schemas['WhipOut']
export type Reach = Schemas['ReachOut']
export type Enrolment = Schemas['EnrolmentOut']
export type Severity = Schemas['SeverityName']
export type Chime = Schemas['ChimeName']
export type OrderClass = Schemas['OrderClass']
export type ResumeRule = Schemas['ResumeRule']

export type LiveEvent = Schemas['LiveEvent']
export type EventKind = LiveEvent['kind']
export type EventOf<K extends EventKind> = Extract<LiveEvent, { kind: K }>
export type PlaceLive = Schemas['PlaceLive']
export type Level = Schemas['LevelEvent']
