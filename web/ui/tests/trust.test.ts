/* What the pages of security and administration decide without a server. */

import { describe, expect, it } from 'vitest'

import type { AuditEntry, Scope, Speaker } from '../src/api/types.ts'
import { en } from '../src/i18n/en.ts'
import { vi } from '../src/i18n/vi.ts'
import { mayAt, PAGE_ACTS, ROLE_ACTS, TOKEN_ACTS } from '../src/model/access.ts'
import { fromBase64url, toBase64url } from '../src/model/base64url.ts'
import { browserOf } from '../src/model/browser.ts'
import { daysUntil, span } from '../src/model/format.ts'
import { parsePosition, search } from '../src/model/inventory.ts'
import { byDay, NO_FILTER, queryOf } from '../src/model/journal.ts'
import { QUIET, qrPicture } from '../src/model/qr.ts'
import { ADMIN_PAGES, hashOf, parseRoute } from '../src/model/route.ts'
import { buildTree } from '../src/model/tree.ts'
import { className, titleOf, toneOf } from '../src/views/drill.ts'
import { keyName } from '../src/views/keys.ts'
import { place } from './territory.ts'

const tree = buildTree([place('r', null), place('a', 'r'), place('h', 'a'), place('b', 'r')])

describe('the address of a page', () => {
  it.each(['console', 'security', ...ADMIN_PAGES] as const)('comes back from its own hash: %s', (page) => {
    expect(parseRoute(hashOf(page))).toBe(page)
  })

  it('leaves anchors within the page alone, and takes what it does not know for the console', () => {
    expect(parseRoute('#main')).toBeNull()
    expect(parseRoute('')).toBe('console')
    expect(parseRoute('#/admin/constructor')).toBe('console')
  })
})

describe('what a person may do', () => {
  const scope: Scope[] = [
    { place: 'a', acts: ['see', 'air'] },
    { place: 'b', acts: ['see'] },
  ]

  it('holds at the place and below it, not above and not beside', () => {
    const where = (act: 'see' | 'air' | 'drill'): string[] =>
      ['r', 'a', 'h', 'b'].filter((id) => mayAt(tree, scope, act, id))
    expect(where('air')).toEqual(['a', 'h'])
    expect(where('see')).toEqual(['a', 'h', 'b'])
    expect(where('drill')).toEqual([])
  })

  it('is nothing at a place that is not known', () => {
    expect(mayAt(tree, scope, 'see', 'elsewhere')).toBe(false)
  })

  it('has every act but the own account among those of roles, each once, each in words', () => {
    expect([...ROLE_ACTS, 'own'].sort()).toEqual(Object.keys(vi.acts).sort())
    expect(new Set(ROLE_ACTS).size).toBe(ROLE_ACTS.length)
  })

  it('keeps people, roles and keys away from API tokens', () => {
    for (const act of ['edit_people', 'edit_roles', 'revoke_keys', 'own'] as const) expect(TOKEN_ACTS).not.toContain(act)
  })

  it('opens each page of the administration by some act', () => {
    for (const page of ADMIN_PAGES) expect(PAGE_ACTS[page].length).toBeGreaterThan(0)
  })
})

describe('a QR code', () => {
  it('draws runs of dark modules inside a quiet zone', () => {
    const { size, path } = qrPicture(['1101', '0000', '0010', '1111'])
    expect(size).toBe(4 + 2 * QUIET)
    expect(path).toBe('M4 4h2v1h-2zM7 4h1v1h-1zM6 6h1v1h-1zM4 7h4v1h-4z')
  })
})

describe('bytes of passkeys', () => {
  it('go to base64url and back, whatever they are', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    for (const length of [0, 1, 2, 3, 64, 256]) {
      const some = bytes.slice(256 - length)
      const text = toBase64url(some.buffer)
      expect(text).toMatch(/^[A-Za-z0-9_-]*$/)
      expect(fromBase64url(text)).toEqual(some)
    }
  })
})

describe('a browser', () => {
  it.each([
    ['Mozilla/5.0 (Linux; Android 9; SM-A105G) AppleWebKit/537.36 Chrome/119.0 Mobile Safari/537.36', 'Chrome', 'Android'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605 Version/16.5 Safari/604.1', 'Safari', 'iOS'],
    ['Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0', 'Edge', 'Windows'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox', 'Linux'],
  ])('%s', (agent, name, system) => {
    expect(browserOf(agent)).toEqual({ name, system })
  })

  it('that is none we know has no name', () => {
    expect(browserOf('curl/8.0')).toBeNull()
  })
})

describe('times that are left', () => {
  it('name the two units that count', () => {
    const hour = 3_600_000
    expect(span(7 * 24 * hour - 1000, 'vi')).toBe('6 ngày 23 giờ')
    expect(span(hour + 61_000, 'en')).toBe('1 hour 1 minute')
    expect(span(125_000, 'en')).toBe('2 minutes 5 seconds')
    expect(span(9_000, 'en')).toBe('9 seconds')
    expect(span(-5, 'en')).toBe('0 seconds')
  })

  it('count whole days, below zero when over', () => {
    expect(daysUntil('2026-12-01T00:00:00Z', Date.parse('2026-11-24T01:00:00Z'))).toBe(6)
    expect(daysUntil('2026-12-01T00:00:00Z', Date.parse('2026-12-01T00:00:01Z'))).toBe(-1)
  })
})

function speaker(id: string, fields: Partial<Speaker>): Speaker {
  return {
    ...{ id, place: 'a', name: id, serial: '', software: '', notes: '', key: '0000 0000', lat: null, lon: null },
    ...{ enrolled_at: null, state: 'online', via: null, playing: null, level_dbfs: null, delay_ms: null },
    last_seen: null,
    ...fields,
  }
}

describe('the inventory', () => {
  const list = [
    speaker('Loa 10', { place: 'h' }),
    speaker('Loa 2', { place: 'h', key: 'ab12 cd34' }),
    speaker('Nhà văn hoá', { place: 'b', state: 'fault', serial: 'SN-77' }),
  ]
  const found = (wanted: Partial<Parameters<typeof search>[1]>): string[] =>
    search(list, { query: '', state: '', place: null, ...wanted }, tree).map((one) => one.id)

  it('shows first what needs somebody, then in the order of places and numbers', () => {
    expect(found({})).toEqual(['Nhà văn hoá', 'Loa 2', 'Loa 10'])
  })

  it('finds by name without marks, by serial, by key, by place with all below it, and by state', () => {
    expect(found({ query: 'van hoa' })).toEqual(['Nhà văn hoá'])
    expect(found({ query: 'sn-77' })).toEqual(['Nhà văn hoá'])
    expect(found({ query: 'ab12' })).toEqual(['Loa 2'])
    expect(found({ place: 'a' })).toEqual(['Loa 2', 'Loa 10'])
    expect(found({ state: 'fault' })).toEqual(['Nhà văn hoá'])
    expect(found({ place: 'a', state: 'fault' })).toEqual([])
  })

  it('reads positions, and refuses what is none', () => {
    expect(parsePosition(' 10.4602, 105.6329 ')).toEqual({ lat: 10.4602, lon: 105.6329 })
    expect(parsePosition('-90 180')).toEqual({ lat: -90, lon: 180 })
    expect(parsePosition('  ')).toBeNull()
    for (const wrong of ['91, 0', '0, 181', '10', 'đây', '1,2,3']) expect(parsePosition(wrong), wrong).toBeUndefined()
  })
})

describe('the audit log', () => {
  it('asks only for what is narrowed down, and for the whole last day', () => {
    expect(queryOf(NO_FILTER)).toEqual({})
    const asked = queryOf({ ...NO_FILTER, act: 'log_in', from: '2026-11-22', to: '2026-11-22' })
    expect(asked.act).toBe('log_in')
    expect(Date.parse(asked.to ?? '') - Date.parse(asked.from ?? '')).toBe(86_400_000)
  })

  it('gathers days in the order given', () => {
    const entry = (at: string): AuditEntry => ({ at }) as AuditEntry
    const days = byDay([entry('2026-11-22T12:05:00'), entry('2026-11-22T12:00:00'), entry('2026-11-21T12:00:00')])
    expect(days.map((day) => day.entries.length)).toEqual([2, 1])
    expect(byDay([])).toEqual([])
  })
})

describe('the names of keys', () => {
  it('come from the table, with the number that the server gave', () => {
    expect(keyName({ t: vi }, 'node')).toBe(vi.keys.what.node)
    expect(keyName({ t: en }, 'authority 2')).toBe(`${en.keys.what.authority} 2`)
    expect(keyName({ t: en }, 'something else')).toBe('something else')
  })
})

describe('a drill', () => {
  const drill = { cls: 'emergency', drill: true, title: 'Lũ' } as const

  it('never looks or reads like the real thing', () => {
    expect(toneOf(drill)).toBe('drill')
    expect(className({ t: vi }, drill)).toBe('DIỄN TẬP')
    expect(titleOf({ t: vi }, drill)).toBe('DIỄN TẬP · Lũ')
    for (const said of [vi.emergency.drilling, vi.emergency.drillHere, vi.emergency.holdDrill, vi.emergency.drillTitle])
      expect(said).toContain('DIỄN TẬP')
  })

  it('marks nothing else', () => {
    const real = { ...drill, drill: false }
    expect(toneOf(real)).toBe('emergency')
    expect(titleOf({ t: vi }, real)).toBe('Lũ')
  })
})
