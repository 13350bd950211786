import type { Clock } from '../clock.ts'
import { badOption } from '../errors.ts'
import { oneLine } from '../log.ts'
import type { Logger } from '../options.ts'
import type { Alert } from './alerts.ts'

export interface Webhook {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Where alerts go beside the log. */
export interface Receivers {
  readonly logger: Logger | false
  readonly webhook: Webhook | undefined
  readonly onAlert: ((alert: Alert) => unknown) | undefined
}

/** How long a webhook may take. It is not tried again. */
const DEADLINE = 5000

/** Throws PALIER_BAD_OPTION, without showing the address: it is a secret. */
export function checkWebhook(value: string | Webhook): Webhook {
  const hook = typeof value === 'string' ? { url: value } : value
  const isUrl = typeof hook?.url === 'string' && URL.canParse(hook.url)
  if (!isUrl || !/^https?:$/.test(new URL(hook.url).protocol)) {
    throw badOption('webhook', 'an address that begins with http:// or https://', typeof value)
  }
  return hook
}

function alertText({ namespace, text, detail, until }: Alert): string {
  return oneLine(`${namespace}: ${until === undefined ? '' : 'over: '}${text}: ${detail}`)
}

/** `text` is what Slack, Teams and Mattermost show, `content` what Discord does; `alert` is for programs. */
function bodyOf(alert: Alert): string {
  const text = `${alert.until === undefined ? '🔴' : '🟢'} ${alertText(alert)}`
  return JSON.stringify({ text, content: text, alert })
}

async function post({ url, headers }: Webhook, alert: Alert, clock: Clock): Promise<void> {
  const late = new AbortController()
  const cancel = clock.after(DEADLINE, () => late.abort(new Error(`no answer within ${DEADLINE} ms`)))
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: bodyOf(alert),
      redirect: 'error',
      signal: late.signal,
    })
    await answer.body?.cancel()
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
  } finally {
    cancel()
  }
}

/** Of an error of `fetch` the cause says more. */
function whyOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}

/** Tells an alert to all receivers at once. Never rejects: one that fails is a line in the log. */
export function createDelivery({ logger, webhook, onAlert }: Receivers, clock: Clock): (alert: Alert) => Promise<void> {
  const warn = (line: string): void => {
    if (logger !== false) logger.warn(oneLine(line))
  }
  return async alert => {
    if (alert.until === undefined) warn(`[CACHE ALERT] ${alertText(alert)}`)
    else if (logger !== false) logger.info(`[CACHE ALERT] ${alertText(alert)}`)
    const failed = (name: string, why: string): void =>
      warn(`[CACHE ALERT] ${alert.namespace}: ${name} could not be told: ${why}`)
    await Promise.all([
      webhook === undefined
        ? undefined
        : post(webhook, alert, clock).catch((error: unknown) =>
            // The address is a secret: only its host may be shown.
            failed(`the webhook at ${new URL(webhook.url).host}`, whyOf(error).replaceAll(webhook.url, 'it')),
          ),
      (async () => onAlert?.(alert))().catch((error: unknown) => failed('onAlert', whyOf(error))),
    ])
  }
}
