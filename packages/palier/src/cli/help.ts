import type { CommandName } from './arguments.ts'

const COMMON = `
Options of every command
  --namespace NS    the cache's namespace
  --backend NAME    auto, redis, filesystem or memory   (else CACHE_BACKEND)
  --dir PATH        the cache directory                 (else CACHE_DIR)
  --redis-url URL   redis://... or rediss://...         (else REDIS_URL, or
                    REDIS_HOST, _PORT, _USERNAME, _PASSWORD, _DB)
  --json            one JSON document on standard output, and nothing else
  -h, --help        this text
  -v, --version     the version

A URL on the command line can be seen by other users of the machine: one with a
password belongs into the environment.
`

const GENERAL = `palier: looks after the cache of an application

Usage: palier COMMAND [OPTIONS]

  init     finds out what this server offers, measures it, proposes settings and
           writes them so that they can be taken back
  doctor   finds the backend as the application does, says why, measures it
           and warns about what will hurt
  stats    counts the entries and bytes that the backend holds
  clear    deletes a namespace, a type, a tag or a pattern
  gc       takes away expired files; for cron
${COMMON}
Exit codes: 0 done, 1 not done or not healthy, 2 wrong usage.
palier COMMAND --help tells more of a command.
`

const OF: Readonly<Record<CommandName, string>> = {
  init: `Usage: palier init [--yes] [--dry-run] [OPTIONS]

Looks at this server, tests the disk, finds Redis, measures and proves each in
turn, proposes the better one and writes it into the settings file, after a
probe has started with it. Then it asks whether to keep it; without an answer
the change is taken back after a minute, by whichever process comes next.

  --yes             take the proposal and keep it, without a question
  --dry-run         find, measure and propose; write nothing
  --file PATH       the settings file                   (else ./.env)
  --lang en|fr      the language of what is found       (else LANG)
  --reopen          open a finished installation again, with a new token

Exit codes: 0 done, 1 not done or taken back, 2 wrong usage.
${COMMON}`,
  doctor: `Usage: palier doctor [OPTIONS]

Shows which backend was found and what was tried, the configuration and where
each value came from, the speed of every store that can be opened, and what is
wrong with the settings of Redis or the disk. What it writes it takes away.

Exit codes: 0 healthy, 1 the backend asked for by name cannot be used or a store
failed its measurement, 2 wrong usage.
${COMMON}`,
  stats: `Usage: palier stats [--namespace NS] [OPTIONS]

Counts entries and bytes per namespace and entries per type, by walking the
backend: not for a busy minute. Without --namespace all namespaces are shown.
Hit rates live in the running process: see cache.stats().

  --max-bytes SIZE  the application's files.maxBytes, if it sets it
  --max-files N     the application's files.maxFiles, if it sets it
${COMMON}`,
  clear: `Usage: palier clear [--namespace NS] [--type T | --tag TAG | --pattern P] --yes

Deletes everything of a namespace ("default" unless said), or only a type, a tag
or the keys that match a pattern: * any characters, ? one, \\ the next literally,
against type:key. Running processes hear of it. Without --yes it asks, or it
refuses when nobody can answer.

  --type T          every entry of a type
  --tag TAG         every entry that carries a tag
  --pattern P       every entry whose type:key matches
  -y, --yes         do not ask

Exit codes: 0 the backend acknowledged it and running processes were told, 1 not
so, 2 wrong usage.
${COMMON}`,
  gc: `Usage: palier gc [OPTIONS]

Takes away expired entries and debris from the cache directory and brings it
under its budgets. For cron, on hosts where no process stays alive:

  */15 * * * *  cd /path/to/app && npx palier gc --backend filesystem

  --max-bytes SIZE  the application's files.maxBytes, if it sets it
  --max-files N     the application's files.maxFiles, if it sets it
${COMMON}`,
}

export function helpText(command: CommandName | undefined): string {
  return command === undefined ? GENERAL : OF[command]
}
