/* Every word of the page in English. The type makes sure that none is missing. */

import { air } from './en/air.ts'
import { bulletin } from './en/bulletin.ts'
import { devices } from './en/devices.ts'
import { entry } from './en/entry.ts'
import { people } from './en/people.ts'
import { records } from './en/records.ts'
import { security } from './en/security.ts'
import type { Strings } from './vi.ts'

export const en: Strings = { ...entry, ...air, ...bulletin, ...security, ...people, ...devices, ...records }
