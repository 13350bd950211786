// Brings a fresh clone, or one whose lock file has moved on, to a state in which it can be run: the right Node, the
// packages of the lock file, the servers that the tests start. Uses nothing but Node itself, because it runs before
// anything is installed, and says nothing when there is nothing to do.
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { root, run } from './run.mjs'

const NODE_FLOOR = [20, 19]
const windows = process.platform === 'win32'

/** Ends the script with a plain message. */
function stop(message) {
  console.error(`\n${message}`)
  process.exit(1)
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [wantedMajor, wantedMinor] = NODE_FLOOR
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return
  stop(
    `Palier needs Node ${NODE_FLOOR.join('.')} or newer; this is ${process.versions.node}. Get one from https://nodejs.org.`,
  )
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? {}
  } catch {
    // Absent, or cut short by an interrupted install: either way nothing is known to be installed.
    return undefined
  }
}

/** Contents are compared, not times: a checkout or a copy changes every time and no package. */
function upToDate() {
  const wanted = lockedPackages(join(root, 'package-lock.json'))
  const present = lockedPackages(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === undefined || present === undefined) return false
  return Object.entries(wanted).every(([path, want]) => {
    if (!path.includes('node_modules/')) return true
    const have = present[path]
    // An optional package may be absent because it is for another platform.
    if (have === undefined) return want.optional === true || want.devOptional === true || want.peer === true
    return have.version === want.version && have.integrity === want.integrity && have.link === want.link
  })
}

async function install() {
  // Headers beside the running Node spare the compiler a download that some networks refuse.
  const prefix = dirname(dirname(process.execPath))
  const env = existsSync(join(prefix, 'include', 'node', 'node.h')) ? { npm_config_nodedir: prefix } : {}
  const options = ['--no-audit', '--no-fund', '--loglevel=error']
  const exact = await run('npm', ['ci', ...options], { env })
  if (exact.code === 0 || !exact.output.includes('EUSAGE')) return exact
  // A lock file written behind a partial registry lacks packages of other platforms, and npm ci refuses all of it.
  console.log('package-lock.json is not complete; installing what it does hold (npm install --no-save).')
  return run('npm', ['install', '--no-save', ...options], { env })
}

/** Installs the packages of the lock file when they are absent or not those. */
export async function ensureInstalled() {
  checkNode()
  if (upToDate()) return
  console.log(
    'Installing the packages of package-lock.json (npm ci). The database driver may be compiled: a minute or two.',
  )
  let installed = await install()
  const lacksCompiler = installed.code !== 0 && /better-sqlite3|node-gyp/.test(installed.output)
  if (lacksCompiler && canUseApt()) {
    console.log('better-sqlite3 could not be built: installing python3, make and g++ (apt-get), then trying once more.')
    if (await aptInstall(['python3', 'make', 'g++'])) installed = await install()
  }
  if (installed.code === 0) return
  stop(
    lacksCompiler
      ? 'better-sqlite3 has no ready-made build for this machine and could not be compiled. Install python3, make and a C++ compiler (Debian: apt-get install python3 make g++; macOS: xcode-select --install), then run npm ci.'
      : 'The packages could not be installed; npm says why above. Once npm ci succeeds, run this command again.',
  )
}

function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some(dir => {
    try {
      accessSync(join(dir, name), constants.X_OK)
      return dir !== ''
    } catch {
      // Not in this directory.
      return false
    }
  })
}

function canUseApt() {
  return (
    process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/etc/debian_version') && onPath('apt-get')
  )
}

async function aptInstall(packages) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const attempt = () => run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { env, show: false })
  let result = await attempt()
  if (result.code !== 0) {
    // A fresh image has no package lists.
    await run('apt-get', ['update'], { env, show: false })
    result = await attempt()
  }
  if (result.code !== 0) process.stderr.write(result.output)
  return result.code === 0
}

/**
 * Debian starts a service as soon as its package is installed, unless this policy says no. The tests start their own
 * servers, on ports of their own, and nothing may be left running. A policy that is already there is left alone.
 */
async function withoutServices(action) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return action()
  const remove = () => rmSync(policy, { force: true })
  process.once('exit', remove)
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return await action()
  } finally {
    remove()
    process.off('exit', remove)
  }
}

/** Finds redis-server on the PATH, or installs it where that takes no question; otherwise says what to install. */
export async function ensureRedisServer() {
  if (onPath(windows ? 'redis-server.exe' : 'redis-server')) return
  if (canUseApt()) {
    console.log(
      'redis-server is not on the PATH: installing it (apt-get install redis-server), without starting a service.',
    )
    if ((await withoutServices(() => aptInstall(['redis-server']))) && onPath('redis-server')) return
  }
  const how = {
    darwin: 'brew install redis',
    win32: 'use WSL: Redis has no build for Windows',
    linux: existsSync('/etc/debian_version')
      ? 'sudo apt-get install redis-server (the service may stay off)'
      : 'dnf install redis, apk add redis, or as your distribution names it',
  }
  stop(
    `The tests start real Redis servers, and redis-server is not on the PATH. Install it: ${how[process.platform] ?? 'https://redis.io/docs/latest/operate/oss_and_stack/install/'}`,
  )
}

/** Debian keeps the programs of both servers off the PATH of ordinary users. */
function missingDatabaseServers() {
  const versions = '/usr/lib/postgresql'
  const newer = existsSync(versions) ? readdirSync(versions).map(version => join(versions, version, 'bin')) : []
  const has = name => onPath(name) || [...newer, '/usr/sbin'].some(directory => existsSync(join(directory, name)))
  const servers = { postgresql: ['initdb', 'postgres'], 'mariadb-server': ['mariadb-install-db', 'mariadbd'] }
  return Object.keys(servers).filter(server => !servers[server].every(has))
}

/** Finds PostgreSQL and MariaDB, or installs them where that takes no question; otherwise says what to install. */
export async function ensureDatabaseServers() {
  const packages = missingDatabaseServers()
  if (packages.length === 0) return
  if (canUseApt()) {
    console.log(
      `Installing what the database tests need (apt-get install ${packages.join(' ')}), without starting a service.`,
    )
    if ((await withoutServices(() => aptInstall(packages))) && missingDatabaseServers().length === 0) return
  }
  const how = {
    darwin: 'brew install postgresql mariadb',
    win32: 'use WSL: the tests start them as they are started on Linux',
    linux: existsSync('/etc/debian_version')
      ? `sudo apt-get install ${packages.join(' ')} (the services may stay off)`
      : 'dnf install postgresql-server mariadb-server, apk add postgresql mariadb, or as your distribution names them',
  }
  stop(
    `The tests start real database servers, and these are missing: ${packages.join(', ')}. Install them: ${how[process.platform] ?? how.linux}`,
  )
}

/** What the tests of real partitions and of crashes at a system call need beside redis-server, by package. Linux only. */
const FAULT_TOOLS = { ip: 'iproute2', nft: 'nftables', strace: 'strace' }

/** Installs them where that takes no question; otherwise says what to install. */
export async function ensureFaultTools() {
  if (process.platform !== 'linux') return
  const missing = () => Object.keys(FAULT_TOOLS).filter(tool => !onPath(tool) && !existsSync(`/usr/sbin/${tool}`))
  const packages = missing().map(tool => FAULT_TOOLS[tool])
  if (packages.length === 0) return
  if (canUseApt()) {
    console.log(`Installing what the fault tests need (apt-get install ${packages.join(' ')}).`)
    if ((await withoutServices(() => aptInstall(packages))) && missing().length === 0) return
  }
  stop(
    `The fault tests need ${packages.join(', ')}. Install them: sudo apt-get install ${packages.join(' ')}, or as your distribution names them.`,
  )
}

/** Names that Chromium goes by, on the PATH or where macOS keeps it. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const MAC_BROWSER = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'

/** Finds Chromium, or installs it where that takes no question; otherwise says what to install. */
export async function ensureBrowser() {
  const found = () => process.env.CHROMIUM !== undefined || BROWSERS.some(onPath) || existsSync(MAC_BROWSER)
  if (found()) return
  if (canUseApt()) {
    console.log('Installing the browser that the tests drive (apt-get install chromium).')
    if ((await aptInstall(['chromium', 'fonts-dejavu-core'])) && found()) return
  }
  stop(
    'The tests drive a real Chromium, and there is none on the PATH. Install it: sudo apt-get install chromium, dnf install chromium, brew install --cask chromium; or say where it is: CHROMIUM=/path/to/chromium npm test.',
  )
}
