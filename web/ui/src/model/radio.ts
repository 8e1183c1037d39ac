/* The addresses of a radio as they are typed: one a line, the wanted one first. Pure. */

export const MAX_ADDRESSES = 8

/** Without blank lines, and each once. */
export const addressesIn = (text: string): string[] => [
  ...new Set(
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  ),
]

/** Whether the server can look at it at all: it says itself what is wrong with an address. */
export function fits(name: string, text: string): boolean {
  const count = addressesIn(text).length
  return name.trim() !== '' && count > 0 && count <= MAX_ADDRESSES
}
