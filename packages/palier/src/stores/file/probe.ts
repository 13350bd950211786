import { randomBytes } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { resolve, sep } from 'node:path'
import { faultOf, isErrno } from './errors.ts'
import { CREATE, DIR_MODE, FILE_MODE, isNetwork } from './io.ts'

/** What `probeDirectory` found: `why` for the trace of the detection, `hint` for whoever can change it. */
export type ProbeResult =
  | { readonly ok: true; readonly micros: number; readonly network: boolean }
  | { readonly ok: false; readonly why: string; readonly hint: string }

interface Refusal {
  readonly ok: false
  readonly why: string
  readonly hint: string
}

/** Directory names that web servers serve from. */
const WEB_ROOTS: ReadonlySet<string> = new Set([
  'public_html',
  'www',
  'htdocs',
  'httpdocs',
  'public',
  'wwwroot',
  'webroot',
])

/** Apache 2.4 and 2.2 both deny with it. */
const DENY = `# Cached values must not be served.
<IfModule mod_authz_core.c>
  Require all denied
</IfModule>
<IfModule !mod_authz_core.c>
  Order deny,allow
  Deny from all
</IfModule>
`

const refuse = (why: string, hint: string): Refusal => ({ ok: false, why, hint })

/** A refusal for an error of a system call. */
function refusalOf(error: unknown, dir: string): Refusal {
  const hint = 'choose another directory with CACHE_DIR'
  if (isErrno(error, 'ENOTDIR', 'EEXIST')) return refuse(`a file stands in the way of ${dir}`, hint)
  if (isErrno(error, 'ELOOP')) return refuse(`${dir} is a symbolic link`, 'name the directory itself')
  switch (faultOf(error)) {
    case 'full':
      return refuse(`the disk of ${dir} is full (space, files or quota)`, 'make room, or choose another disk')
    case 'readonly':
      return refuse(`${dir} is not writable`, 'give the user of this process the right to write there')
    case 'busy':
      return refuse('the system is out of file handles or memory', 'raise the limit of open files')
    default:
      return refuse(`${dir} cannot be used (${error instanceof Error ? error.message : String(error)})`, hint)
  }
}

/** Owner and mode of a directory that exists; undefined when nothing is wrong with it. */
async function judge(dir: string): Promise<Refusal | undefined> {
  const stat = await fs.lstat(dir)
  if (stat.isSymbolicLink()) return refuse(`${dir} is a symbolic link`, 'name the directory it points to')
  if (!stat.isDirectory()) return refuse(`${dir} is a file, not a directory`, 'choose another directory with CACHE_DIR')
  const user = process.geteuid?.()
  if (user !== undefined && stat.uid !== user) {
    return refuse(`${dir} belongs to another user (${stat.uid})`, 'choose a directory of the user this process runs as')
  }
  if ((stat.mode & 0o002) !== 0) return refuse(`everybody may write to ${dir}`, `chmod 700 ${dir}`)
  return undefined
}

/** Under a web root the directory is taken only with a deny rule in it, and the rule is ours to write. */
async function protect(dir: string): Promise<Refusal | undefined> {
  const root = dir.split(sep).find(segment => WEB_ROOTS.has(segment.toLowerCase()))
  if (root === undefined) return undefined
  const file = `${dir}/.htaccess`
  try {
    const handle = await fs.open(file, CREATE, 0o644)
    try {
      await handle.writeFile(DENY)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) {
      const hint = 'choose a directory the web server does not serve'
      return refuse(
        `${dir} is under the web root "${root}", and no .htaccess that denies access could be written`,
        hint,
      )
    }
  }
  const rule = await fs.readFile(file, 'utf8')
  if (/require all denied|deny from all/i.test(rule)) return undefined
  const hint = 'let it deny all access, or choose a directory the web server does not serve'
  return refuse(`${dir} is under the web root "${root}", and its .htaccess does not deny access`, hint)
}

/**
 * Makes the directory (0700) if it is not there, and says what is wrong with it otherwise. Writes nothing into one
 * that exists, but a deny rule under a web root.
 */
export async function claimDirectory(dir: string): Promise<Refusal | undefined> {
  try {
    await fs.mkdir(dir, { recursive: true, mode: DIR_MODE })
    return (await judge(dir)) ?? (await protect(dir))
  } catch (error) {
    return refusalOf(error, dir)
  }
}

/** One file's life: created, written, renamed, read back, removed. Microseconds. */
async function rehearse(dir: string): Promise<number> {
  const name = `${dir}/probe-${randomBytes(6).toString('hex')}`
  const content = Buffer.alloc(2048, 'palier')
  const startedAt = performance.now()
  let last = `${name}.t`
  try {
    const handle = await fs.open(last, CREATE, FILE_MODE)
    try {
      await handle.writeFile(content)
    } finally {
      await handle.close()
    }
    await fs.rename(last, name)
    last = name
    if (!content.equals(await fs.readFile(name))) throw new Error('what was written is not what was read')
  } finally {
    await fs.rm(last, { force: true })
  }
  return Math.round((performance.now() - startedAt) * 1000)
}

/**
 * Can a file store live in this directory? Makes it (0700) if need be and lets a probe file live and die in it, so that
 * a full disk, a read-only mount or a missing right shows now. `micros`: how long the probe file's life took. Never rejects.
 */
export async function probeDirectory(dir: string): Promise<ProbeResult> {
  const path = resolve(dir)
  const refused = await claimDirectory(path)
  if (refused !== undefined) return refused
  try {
    return { ok: true, micros: await rehearse(path), network: await isNetwork(path) }
  } catch (error) {
    return refusalOf(error, path)
  }
}
