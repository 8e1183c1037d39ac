/* What went wrong, in the server's words (what, where, expected) or in ours when there was no server. Pure. */

export type ProblemKind = 'denied' | 'unauthorized' | 'conflict' | 'missing' | 'invalid' | 'busy' | 'server' | 'offline'

export class Problem extends Error {
  constructor(
    readonly kind: ProblemKind,
    readonly what = '',
    readonly where = '',
    readonly expected = '',
  ) {
    super(what || kind)
    this.name = 'Problem'
  }
}

const KINDS: Record<number, ProblemKind> = {
  401: 'unauthorized',
  403: 'denied',
  404: 'missing',
  409: 'conflict',
  429: 'busy',
  503: 'busy',
}

export function kindOf(status: number): ProblemKind {
  return KINDS[status] ?? (status >= 500 ? 'server' : 'invalid')
}

/** From an answer that is no success; a body of another form gives a problem without words. */
export function parseProblem(status: number, body: unknown): Problem {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '')
  return new Problem(kindOf(status), text('what'), text('where'), text('expected'))
}

/** Whatever was thrown, as a problem: from fetch a refused connection is a TypeError, a silent one a TimeoutError. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  if (thrown instanceof TypeError || (thrown instanceof DOMException && thrown.name === 'TimeoutError'))
    return new Problem('offline')
  return new Problem('server', thrown instanceof Error ? thrown.message : String(thrown))
}
