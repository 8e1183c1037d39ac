import { describe, expect, it } from 'vitest'

import { addressesIn, fits, MAX_ADDRESSES } from '../src/model/radio.ts'

describe('the addresses of a radio', () => {
  it('are the lines, in their order and each once', () => {
    expect(addressesIn(' http://a/x \n\n  \nhttp://b/y\r\nhttp://a/x')).toEqual(['http://a/x', 'http://b/y'])
  })

  it('go with a name, are one at least and no more than the server takes', () => {
    const many = (n: number): string => Array.from({ length: n }, (_, i) => `http://a/${i}`).join('\n')
    expect(fits('VOV1', many(1))).toBe(true)
    expect(fits('VOV1', many(MAX_ADDRESSES))).toBe(true)
    expect(fits('VOV1', many(MAX_ADDRESSES + 1))).toBe(false)
    expect(fits('VOV1', ' \n')).toBe(false)
    expect(fits(' ', many(1))).toBe(false)
  })
})
