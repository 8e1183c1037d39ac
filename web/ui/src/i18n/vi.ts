/* Every word of the page in Vietnamese: the first language, and the shape that every other must have.
   Entries with numbers or names are functions; `n` is already written as a number of the language. */

import { air } from './vi/air.ts'
import { bulletin } from './vi/bulletin.ts'
import { devices } from './vi/devices.ts'
import { entry } from './vi/entry.ts'
import { people } from './vi/people.ts'
import { records } from './vi/records.ts'
import { security } from './vi/security.ts'

export const vi = { ...entry, ...air, ...bulletin, ...security, ...people, ...devices, ...records }

export type Strings = typeof vi
