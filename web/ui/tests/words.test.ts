/* Every string goes through the table of translations, and the page stays within its Content-Security-Policy:
   both are read off the syntax trees of the components, so that nothing depends on who reviews. */

import { parse } from 'svelte/compiler'
import { describe, expect, it } from 'vitest'

import { en } from '../src/i18n/en.ts'
import { vi } from '../src/i18n/vi.ts'
import type { Preview } from '../src/views/targets.ts'
import { inWords, preview } from '../src/views/targets.ts'
import { buildTree } from '../src/model/tree.ts'
import { place } from './territory.ts'

const COMPONENTS = import.meta.glob<string>('../src/**/*.svelte', { query: '?raw', import: 'default', eager: true })
const MODULES = import.meta.glob<string>('../src/**/*.ts', { query: '?raw', import: 'default', eager: true })

function leaves(table: object, path = ''): Map<string, unknown> {
  const found = new Map<string, unknown>()
  for (const [key, value] of Object.entries(table) as [string, unknown][]) {
    if (typeof value === 'object' && value !== null) leaves(value, `${path}${key}.`).forEach((v, k) => found.set(k, v))
    else found.set(path + key, value)
  }
  return found
}

describe('the translations', () => {
  const vietnamese = leaves(vi)
  const english = leaves(en)

  it('have the same keys in both languages', () => {
    expect([...english.keys()].sort()).toEqual([...vietnamese.keys()].sort())
  })

  it('say something for every key', () => {
    for (const [key, text] of [...vietnamese, ...english]) {
      const said = typeof text === 'function' ? (text as (...args: string[]) => string)('3', '5', '7') : text
      expect(said, key).toMatch(/\S/)
    }
  })

  it('use every value they are given, in both languages', () => {
    for (const [key, text] of vietnamese) {
      if (typeof text !== 'function') continue
      for (const table of [text, english.get(key)] as ((...args: string[]) => string)[]) {
        const args = ['<1>', '<2>', '<3>'].slice(0, text.length)
        for (const arg of args) expect(table(...args), key).toContain(arg)
      }
    }
  })

  it('hold nothing that no part of the page says', () => {
    const source = Object.entries({ ...COMPONENTS, ...MODULES })
      .filter(([name]) => !name.includes('/i18n/'))
      .map(([, text]) => text)
      .join('\n')
    const unused = [...vietnamese.keys()].filter((key) => {
      const [section, name] = key.split('.')
      const whole = `Record<string, string> = [\\w.]*\\.${section}\\n`
      return !new RegExp(`\\.${name}\\b|\\.${section}\\[|${whole}`).test(source)
    })
    expect(unused).toEqual([])
  })
})

describe('counting whom it reaches', () => {
  const tree = buildTree([
    place('r', null, { kind: 'province', speakers: 45, online: 40 }),
    place('a', 'r', { speakers: 30, online: 28 }),
    place('h', 'a', { kind: 'hamlet', speakers: 30, online: 28 }),
    place('b', 'r', { speakers: 15, online: 12 }),
  ])
  const of = (...ids: string[]): Preview =>
    preview({ tree, targets: ids.flatMap((id) => tree.line.filter((p) => p.id === id)) })
  const n = (value: number): string => String(value)

  it('adds up disjoint subtrees', () => {
    expect(of('r')).toEqual({ speakers: 45, online: 40, communes: 2, places: 4 })
    expect(of('a', 'b')).toEqual({ speakers: 45, online: 40, communes: 2, places: 3 })
    expect(of()).toEqual({ speakers: 0, online: 0, communes: 0, places: 0 })
  })

  it('says communes where there are any, places below', () => {
    expect(inWords({ t: vi, n }, of('r'))).toBe('45 loa ở 2 xã, phường')
    expect(inWords({ t: en, n }, of('h'))).toBe('30 loudspeakers in 1 place')
  })
})

const WORDS = /\p{L}/u
const SPOKEN = new Set(['aria-label', 'title', 'placeholder', 'alt', 'aria-description', 'legend', 'label'])

describe.each(Object.entries(COMPONENTS))('%s', (_, source) => {
  const markup = parse(source, { modern: true }).fragment

  it('says nothing of its own', () => {
    const spoken = nodes(markup, (node) => node.type === 'Attribute' && SPOKEN.has(String(node['name'])))
    const texts = nodes(markup, (node) => node.type === 'Text', ['Attribute', 'StyleDirective'])
    const said = [...texts, ...spoken.flatMap((node) => nodes(node['value'], (value) => value.type === 'Text'))]
    expect(said.map((node) => String(node['data'])).filter((text) => WORDS.test(text))).toEqual([])
  })

  it('has no inline style or handler in its markup', () => {
    const inline = nodes(markup, (node) => node.type === 'Attribute' && /^(style|on[a-z]+)$/.test(String(node['name'])))
    expect(inline.filter((node) => Array.isArray(node['value'])).map((node) => node['name'])).toEqual([])
  })

  it('is small enough to read', () => {
    expect(source.split('\n').length).toBeLessThan(320)
  })
})

type Node = Record<string, unknown> & { type: string }

/** All nodes that pass, without what lies inside of nodes of the left-out types. */
function nodes(root: unknown, passes: (node: Node) => boolean, leftOut: readonly string[] = []): Node[] {
  if (Array.isArray(root)) return root.flatMap((value) => nodes(value, passes, leftOut))
  if (typeof root !== 'object' || root === null) return []
  const own = 'type' in root && typeof root.type === 'string' ? (root as Node) : null
  if (own && leftOut.includes(own.type)) return []
  const below = Object.values(root).flatMap((value: unknown) => nodes(value, passes, leftOut))
  return own && passes(own) ? [own, ...below] : below
}
