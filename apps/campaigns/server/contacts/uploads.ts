import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { storedKey } from '../jobs/keys.ts'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { type CsvHead, HEAD_BYTES, readHead } from './csv-head.ts'
import { IMPORT_JOB, uploadDirectory } from './import-job.ts'

const LARGEST_FILE: number = 256 * 1024 * 1024
const KEPT_MS = 86_400_000

export interface Upload {
  readonly file: string
  readonly bytes: number
  readonly head: CsvHead
}

/** One job at most reads an upload; its key also tells which uploads are still wanted. */
export const uploadKey = (file: string): string => `${IMPORT_JOB}:${file}`

/** Reads the beginning as it passes by, and refuses a file whose header is wrong before the rest of it has come. */
function createHeadReader(): { take(chunk: Buffer): void; end(): CsvHead } {
  let chunks: Buffer[] = []
  let size = 0
  let head: CsvHead | undefined
  const read = (): CsvHead => {
    const bytes = Buffer.concat(chunks)
    chunks = []
    return readHead(bytes)
  }
  return {
    take(chunk) {
      if (head !== undefined) return
      chunks.push(chunk)
      size += chunk.length
      if (size >= HEAD_BYTES) head = read()
    },
    end: () => (head ??= read()),
  }
}

function tooLarge(): Problem {
  return new Problem(413, `The file is larger than ${LARGEST_FILE / 1024 / 1024} MiB. Send it in parts.`)
}

async function storeBody(path: string, body: Readable): Promise<{ bytes: number; head: CsvHead }> {
  const handle = await open(path, 'wx', 0o600)
  const reader = createHeadReader()
  let bytes = 0
  let refusal: { readonly error: unknown } | undefined
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      // After a refusal the rest is read and dropped: a client that is still sending would not hear the answer.
      if (bytes > 2 * LARGEST_FILE) throw tooLarge()
      if (refusal !== undefined) continue
      try {
        reader.take(chunk)
        if (bytes > LARGEST_FILE) throw tooLarge()
        await handle.write(chunk)
      } catch (error) {
        refusal = { error }
      }
    }
    if (refusal !== undefined) throw refusal.error
    const head = reader.end()
    await handle.datasync()
    return { bytes, head }
  } finally {
    await handle.close()
  }
}

/** Files of processes that died between an upload and its job are nobody's. */
async function removeForgotten({ database }: Services, directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    const path = join(directory, file)
    const info = await stat(path).catch(() => undefined)
    // By the clock of the file system: an application's clock that is ahead must not take uploads away.
    if (info === undefined || Date.now() - info.mtimeMs < KEPT_MS) continue
    const query = database.writer
      .selectFrom('jobs')
      .select('id')
      .where('dedupe_key', '=', storedKey(uploadKey(file), false))
    if ((await query.executeTakeFirst()) === undefined) await rm(path, { force: true })
  }
}

/**
 * Writes a CSV to the directory of uploads as it comes, in bounded memory. Rejects with a 422 problem when its header is
 * wrong and a 413 one when it is too large, and then leaves nothing behind.
 */
export async function storeUpload(services: Services, body: Readable): Promise<Upload> {
  const directory = uploadDirectory(services.dataDir)
  await mkdir(directory, { recursive: true })
  await removeForgotten(services, directory)
  const file = `${services.newId()}.csv`
  const path = join(directory, file)
  const part = `${path}.part`
  try {
    const stored = await storeBody(part, body)
    await rename(part, path)
    return { file, ...stored }
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

export async function removeUpload({ dataDir }: Services, file: string): Promise<void> {
  await rm(join(uploadDirectory(dataDir), file), { force: true })
}
