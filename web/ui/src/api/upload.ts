/* Upload with progress. XMLHttpRequest, because fetch still cannot tell how much has been sent. */

import { parseProblem, Problem } from './problem.ts'
import type { Program } from './types.ts'

export interface Upload {
  readonly done: Promise<Program>
  cancel(): void
}

export function upload(file: File, headers: Record<string, string>, onProgress: (fraction: number) => void): Upload {
  const request = new XMLHttpRequest()
  const done = new Promise<Program>((resolve, reject) => {
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total)
    }
    request.onload = () => {
      const body: unknown = request.response
      if (request.status >= 200 && request.status < 300) resolve(body as Program)
      else reject(parseProblem(request.status, body))
    }
    request.onerror = () => reject(new Problem('offline'))
    request.onabort = () => reject(new Problem('invalid', 'cancelled'))
  })
  const form = new FormData()
  form.append('file', file, file.name)
  request.open('POST', '/api/v1/programs')
  request.responseType = 'json'
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
  request.send(form)
  return { done, cancel: () => request.abort() }
}
