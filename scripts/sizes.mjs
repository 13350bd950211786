// What the console's pages weigh on the wire: each file, the first load, all of it. Ends with 1 over a budget.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const directory = new URL('../packages/console/dist/ui/', import.meta.url).pathname
const FIRST_LOAD = 60_000
const ALL = 90_000
const FILES = 12

const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name).slice(directory.length))
  .filter(name => !name.endsWith('.map'))
  .toSorted()
const index = readFileSync(join(directory, 'index.html'), 'utf8')

/** What a browser asks for before anything else: the page, and what it and its script name at once. */
function isFirst(name) {
  return name === 'index.html' || index.includes(`./${name}"`)
}

// A copy that is compressed already is the same file, once more.
const sizes = files
  .filter(name => !name.endsWith('.gz'))
  .map(name => ({ name, bytes: gzipSync(readFileSync(join(directory, name)), { level: 9 }).length }))
const sum = list => list.reduce((total, { bytes }) => total + bytes, 0)
const first = sum(sizes.filter(({ name }) => isFirst(name)))
const all = sum(sizes)

const line = (bytes, text) => console.log(`${String(bytes).padStart(8)}  ${text}`)
for (const { name, bytes } of sizes) line(bytes, `${name}${isFirst(name) ? '' : '  (later)'}`)
line(first, `first load, gzip, of at most ${FIRST_LOAD}`)
line(all, `in all, gzip, of at most ${ALL}`)
line(files.length, `files with their compressed copies, of at most ${FILES}`)
if (first > FIRST_LOAD || all > ALL || files.length > FILES) process.exitCode = 1
