import { HIDDEN, type Settings, shownUrl } from '../environment.ts'

/*
 * Nothing this command prints holds a password. What is shown of the configuration leaves it out to begin with; on top
 * of that every text passes through here on its way out, because texts of other software (a server, a client, the file
 * system) are quoted in it.
 */
export type Hide = (text: string) => string

/** Shorter passwords are not looked for in other texts: every `a` would become a riddle. */
const SHORTEST = 4
/** User and password of a URL, up to the last @ of the word: a password may hold one. The name of a variable is none. */
const CREDENTIALS = /(:\/\/[^\s:@/]*):(?!\$[{(][A-Z_]+[})]@)\S*@/g

function passwordsOf(url: string): readonly string[] {
  // A URL of several sentinels has more hosts than a URL may have.
  const password = URL.canParse(url) ? new URL(url).password : (/:\/\/[^\s:@/]*:(\S*)@/.exec(url)?.[1] ?? '')
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    // A malformed escape: then only the written form can turn up anywhere.
    return [password]
  }
}

/** Hides the passwords of these URLs and these passwords, wherever they turn up. */
export function hider(urls: readonly (string | undefined)[], passwords: readonly (string | undefined)[]): Hide {
  const found = [...urls.flatMap(url => (url === undefined ? [] : passwordsOf(url))), ...passwords]
  const secrets = [...new Set(found)].filter(text => text !== undefined && text.length >= SHORTEST) as string[]
  secrets.sort((a, b) => b.length - a.length)
  return text => {
    let safe = text.replace(CREDENTIALS, `$1:${HIDDEN}@`)
    for (const secret of secrets) safe = safe.replaceAll(secret, HIDDEN)
    return safe
  }
}

export interface ShownSetting {
  /** The variable of the environment that sets it. */
  readonly name: string
  readonly value: string
  readonly source: 'option' | 'environment' | 'default'
}

/** The settings that count, as people may see them: a URL makes host, port and the rest of no effect. */
export function shownConfiguration(settings: Settings): readonly ShownSetting[] {
  const { enabled, backend, dir, redisUrl, redisHost, redisPort, redisUsername, redisPassword, redisDb } = settings
  const shown: ShownSetting[] = [
    { ...enabled, name: 'CACHE_ENABLED', value: String(enabled.value) },
    { ...backend, name: 'CACHE_BACKEND', value: backend.value },
    { ...dir, name: 'CACHE_DIR', value: dir.value },
  ]
  if (redisUrl.value !== undefined) {
    return [...shown, { ...redisUrl, name: 'REDIS_URL', value: shownUrl(redisUrl.value) }]
  }
  const password = redisPassword.value === undefined ? '(none)' : HIDDEN
  return [
    ...shown,
    { ...redisHost, name: 'REDIS_HOST', value: redisHost.value },
    { ...redisPort, name: 'REDIS_PORT', value: String(redisPort.value) },
    { ...redisUsername, name: 'REDIS_USERNAME', value: redisUsername.value ?? '(none)' },
    { ...redisPassword, name: 'REDIS_PASSWORD', value: password },
    { ...redisDb, name: 'REDIS_DB', value: String(redisDb.value) },
  ]
}
