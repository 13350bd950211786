import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve, sep } from 'node:path'
import { isNetwork } from '../stores/file/io.ts'
import type { Finding } from './finding.ts'
import { bytesText, countText } from './words.ts'

/** What the disk of the cache directory offers. */
export interface DiskFacts {
  /** Absolute. */
  readonly dir: string
  readonly freeBytes: number
  readonly totalBytes: number
  /** Undefined where the file system does not count them. */
  readonly freeFiles: number | undefined
  readonly totalFiles: number | undefined
  readonly network: boolean
  /** The part of the path that web servers serve from. */
  readonly webRoot: string | undefined
}

const WEB_ROOTS = new Set(['public_html', 'www', 'htdocs', 'httpdocs', 'public', 'wwwroot', 'webroot'])

/** The part of an absolute path that web servers serve from. */
export function webRootOf(path: string): string | undefined {
  return path.split(sep).find(part => WEB_ROOTS.has(part.toLowerCase()))
}

/** The directory, or the nearest one above it that is there. */
async function statNearest(dir: string): Promise<{ path: string; stat: StatsFs }> {
  for (let path = dir; ; path = dirname(path)) {
    try {
      return { path, stat: await statfs(path) }
    } catch (error) {
      if (path === dirname(path)) throw error
    }
  }
}

export async function readDisk(dir: string): Promise<DiskFacts> {
  const absolute = resolve(dir)
  const { path, stat } = await statNearest(absolute)
  const counted = stat.files > 0
  return {
    dir: absolute,
    freeBytes: stat.bavail * stat.bsize,
    totalBytes: stat.blocks * stat.bsize,
    freeFiles: counted ? stat.ffree : undefined,
    totalFiles: counted ? stat.files : undefined,
    network: await isNetwork(path),
    webRoot: webRootOf(absolute),
  }
}

/**
 * The bytes and the files (inodes) of the disk a directory is on, as budgets for a monitor: `budgets: () =>
 * diskBudgets('./cache')`. Quotas of single accounts are not seen. Rejects when the disk cannot be asked.
 */
export async function diskBudgets(
  dir: string,
): Promise<readonly { readonly name: string; readonly used: number; readonly limit: number }[]> {
  const { freeBytes, totalBytes, freeFiles, totalFiles } = await readDisk(dir)
  const bytes = { name: `the disk of ${dir}`, used: totalBytes - freeBytes, limit: totalBytes }
  if (freeFiles === undefined || totalFiles === undefined) return [bytes]
  return [bytes, { name: `the number of files on the disk of ${dir}`, used: totalFiles - freeFiles, limit: totalFiles }]
}

export interface DiskBudget {
  readonly maxBytes: number
  readonly maxFiles: number
}

/** What a file store may use unless it is told otherwise. */
export const DISK_BUDGET: DiskBudget = { maxBytes: 256 * 2 ** 20, maxFiles: 50_000 }

/** What is wrong with a disk, in plain words. Space is judged by what the cache may use. */
export function judgeDisk(facts: DiskFacts, budget: DiskBudget): readonly Finding[] {
  const { dir, freeBytes, freeFiles, network, webRoot } = facts
  const found: Finding[] = []
  const warn = (text: string, advice: string): void =>
    void found.push({ level: 'warning', about: 'files', text, advice })
  if (freeBytes < budget.maxBytes) {
    const text = `The disk has ${bytesText(freeBytes)} free, less than the ${bytesText(budget.maxBytes)} the cache may use.`
    warn(text, 'Make room, choose another disk, or lower files.maxBytes.')
  }
  if (freeFiles !== undefined && freeFiles < budget.maxFiles) {
    const text = `The disk has room for ${countText(freeFiles)} more files (inodes), less than the ${countText(budget.maxFiles)} the cache may make.`
    warn(text, 'Remove small files, choose another disk, or lower files.maxFiles.')
  }
  if (network) {
    const text = 'The cache directory is on a network disk: slower, and changes of other machines are seen late.'
    warn(text, 'Use a local disk, or Redis when several machines share the cache.')
  }
  if (webRoot !== undefined) {
    const text = `${dir} is under the web root "${webRoot}". The .htaccess in it protects it from Apache only.`
    warn(text, 'Move it out of the web root with CACHE_DIR, or deny access in the web server.')
  }
  return found
}
