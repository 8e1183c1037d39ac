/* A QR code as one path: the dark modules of each row gathered into runs, so that no seam shows between them. Pure. */

/** Modules of light around the code (ISO/IEC 18004, 6.3.8): without them it cannot be read. */
export const QUIET = 4

export interface QrPicture {
  /** modules on a side, the quiet zone included */
  readonly size: number
  readonly path: string
}

/** `rows` of "0" (light) and "1" (dark). */
export function qrPicture(rows: readonly string[]): QrPicture {
  let path = ''
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g)) {
      const length = run[0].length
      path += `M${run.index + QUIET} ${y + QUIET}h${length}v1h-${length}z`
    }
  })
  return { size: rows.length + 2 * QUIET, path }
}
