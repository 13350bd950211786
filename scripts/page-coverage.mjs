// What of the pages' sources the browser tests have run. Chromium counts in the files it was given; this leads the counts
// back to the sources through the source maps of the build, and puts them together with what tests without a browser ran.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { convert } from 'ast-v8-to-istanbul'
import istanbul from 'istanbul-lib-coverage'
import { parseSync } from 'vite'
import { root } from './run.mjs'

const BUILDS = [
  ['/app/', join(root, 'apps/campaigns/dist/web')],
  ['/admin/cache/', join(root, 'packages/console/dist/ui')],
]
const SOURCES = ['apps/campaigns/web/src', 'packages/console/ui/src', 'packages/design/src']

/** The built file behind an address; undefined for what is none of the builds. */
function builtFile(url) {
  const { pathname } = new URL(url)
  for (const [base, directory] of BUILDS) {
    if (!pathname.startsWith(base)) continue
    const file = join(directory, pathname.slice(base.length))
    if (existsSync(`${file}.map`)) return file
  }
  return undefined
}

/** Counts of one file from all pages that ran it: V8 counts each page for itself. */
function gather(directory) {
  const byFile = new Map()
  for (const name of readdirSync(directory)) {
    for (const { url, functions } of JSON.parse(readFileSync(join(directory, name), 'utf8'))) {
      const file = builtFile(url)
      if (file === undefined) continue
      const known = byFile.get(file) ?? []
      known.push(functions)
      byFile.set(file, known)
    }
  }
  return byFile
}

/** Coverage of a file as data: what is found may be an object of the library. */
const plain = counts => JSON.parse(JSON.stringify(counts))

async function toSources(file, runs) {
  const code = readFileSync(file, 'utf8')
  const sourceMap = JSON.parse(readFileSync(`${file}.map`, 'utf8'))
  const ast = parseSync(file, code).program
  const map = istanbul.createCoverageMap({})
  for (const functions of runs) {
    const coverage = { scriptId: '0', url: `file://${file}`, functions }
    const found = await convert({ ast, code, sourceMap, coverage, wrapperLength: 0 })
    for (const [path, counts] of Object.entries(found)) {
      const source = resolve(dirname(file), path)
      if (SOURCES.some(one => !relative(join(root, one), source).startsWith('..'))) {
        map.merge({ [source]: { ...plain(counts), path: source } })
      }
    }
  }
  return map
}

/** Percent of all lines, and of all branches, that a browser must have run: a floor under what is there, so that it only rises. */
const BAR = { lines: 60, branches: 25 }

/** Prints lines and branches of each of the three, and of all, from the counts in a directory; whether the bar is met. */
export async function pageCoverage(counted) {
  const map = istanbul.createCoverageMap({})
  if (existsSync(counted)) {
    for (const [file, runs] of gather(counted)) map.merge(await toSources(file, runs))
  }
  const share = summary => ({ lines: summary.lines.pct, branches: summary.branches.pct })
  const summaries = SOURCES.map(source => {
    const summary = istanbul.createCoverageSummary()
    for (const file of map.files().filter(one => one.startsWith(join(root, source)))) {
      summary.merge(map.fileCoverageFor(file).toSummary())
    }
    return [source, summary]
  })
  for (const [source, summary] of summaries) {
    const { lines, branches } = share(summary)
    console.log(`${source.padEnd(26)} lines ${lines} %, branches ${branches} %`)
  }
  const all = istanbul.createCoverageSummary()
  for (const [, summary] of summaries) all.merge(summary)
  const { lines, branches } = share(all)
  console.log(
    `${'all pages'.padEnd(26)} lines ${lines} % (at least ${BAR.lines}), branches ${branches} % (at least ${BAR.branches})`,
  )
  return lines >= BAR.lines && branches >= BAR.branches
}
