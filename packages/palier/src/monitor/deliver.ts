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

/** How telling one receiver went. */
export interface Delivered {
  readonly channel: 'log' | 'webhook' | 'callback'
  readonly ok: boolean
  /** Why not. Never the address of a webhook. */
  readonly error?: string
}

/** Where alerts go, as these options say. */
export function channelsOf({ logger, webhook, onAlert }: Receivers): readonly Delivered['channel'][] {
  return [
    ...(logger === false ? [] : (['log'] as const)),
    ...(webhook === undefined ? [] : (['webhook'] as const)),
    ...(onAlert === undefined ? [] : (['callback'] as const)),
  ]
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
export function createDelivery(
  { logger, webhook, onAlert }: Receivers,
  clock: Clock,
): (alert: Alert) => Promise<readonly Delivered[]> {
  const warn = (line: string): void => {
    if (logger !== false) logger.warn(oneLine(line))
  }
  const toLog = (alert: Alert): Delivered[] => {
    if (logger === false) return []
    const line = `[CACHE ALERT] ${alertText(alert)}`
    if (alert.until === undefined) warn(line)
    else logger.info(line)
    return [{ channel: 'log', ok: true }]
  }
  const attempt = async (
    channel: Delivered['channel'],
    name: string,
    { namespace }: Alert,
    run: () => unknown,
  ): Promise<Delivered> => {
    try {
      await run()
      return { channel, ok: true }
    } catch (error) {
      // The address of a webhook is a secret: only its host may be shown.
      const why = webhook === undefined ? whyOf(error) : whyOf(error).replaceAll(webhook.url, 'it')
      warn(`[CACHE ALERT] ${namespace}: ${name} could not be told: ${why}`)
      return { channel, ok: false, error: why }
    }
  }
  return async alert => {
    const logged = toLog(alert)
    const told = await Promise.all([
      ...(webhook === undefined
        ? []
        : [
            attempt('webhook', `the webhook at ${new URL(webhook.url).host}`, alert, () => post(webhook, alert, clock)),
          ]),
      ...(onAlert === undefined ? [] : [attempt('callback', 'onAlert', alert, () => onAlert(alert))]),
    ])
    return [...logged, ...told]
  }
}
