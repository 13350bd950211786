import { badOption, toMilliseconds } from 'palier'
import { problem } from './answer.ts'
import type { Acknowledgement, AcknowledgeAnswer, AlertsAnswer, AlertTestAnswer } from './api.ts'
import { onlyFields, textOf } from './input.ts'
import type { ConsoleMonitor, Room } from './room.ts'
import type { Call, Route } from './router.ts'

const ID = 'all'
const LONGEST = 30 * 86_400_000
const LONGEST_REASON = 300
const MOST = 200

type Acknowledgements = readonly Acknowledgement[]

/** Alerts with the rules they come from, and who knows of them. */
export function alertRoutes({ cache, monitor, clock }: Room): readonly Route[] {
  const documents = cache.documents<Acknowledgements>('palier-console-acknowledged')
  const living = (all: Acknowledgements = []): Acknowledgements => all.filter(({ until }) => until > clock.wall())
  const read = async (): Promise<Acknowledgements> => living((await documents.read(ID))?.value)

  const alerts = async (watch: ConsoleMonitor): Promise<AlertsAnswer> => {
    const { active, recent, lookedAt } = watch.alerts()
    // Without the backend the alerts themselves are what matters.
    const acknowledgements = await read().catch((): Acknowledgements => [])
    const by = new Map(acknowledgements.map(one => [one.signature, one]))
    return {
      rules: watch.rules(),
      active: active.map(alert => {
        const acknowledged = by.get(alert.signature)
        return acknowledged === undefined ? alert : { ...alert, acknowledged }
      }),
      recent,
      ...(lookedAt !== undefined && { lookedAt }),
      channels: watch.channels(),
      acknowledgements,
    }
  }

  const acknowledgementOf = ({ fields, who, aim }: Call, watch: ConsoleMonitor): Acknowledgement | string => {
    onlyFields('body', fields, ['signature', 'reason', 'for'])
    const signature = textOf('signature', fields['signature'])
    aim(signature)
    if (fields['for'] === null) return signature
    const reason = textOf('reason', fields['reason'])
    if (reason.length > LONGEST_REASON) throw badOption('reason', `at most ${LONGEST_REASON} characters`, reason.length)
    const given = fields['for']
    if (typeof given !== 'string' && typeof given !== 'number') {
      throw badOption('for', "milliseconds, a text such as '4h', or null", given)
    }
    const lasts = toMilliseconds('for', given, { min: 60_000, max: LONGEST })
    const signatures = watch.alerts().active.map(alert => alert.signature)
    if (!signatures.includes(signature)) {
      throw badOption('signature', `that of an alert: ${signatures.join(', ') || 'there is none'}`, signature)
    }
    const at = clock.wall()
    const by = { role: who.role, ...(who.name !== undefined && { name: who.name }) }
    return { signature, reason, by, at, until: at + lasts }
  }

  const acknowledge = async (one: Acknowledgement | string): Promise<AcknowledgeAnswer> => {
    const signature = typeof one === 'string' ? one : one.signature
    const kept = await documents.change(ID, before => {
      const others = living(before?.value).filter(other => other.signature !== signature)
      return { value: [...(typeof one === 'string' ? [] : [one]), ...others].slice(0, MOST), ttl: LONGEST }
    })
    return { acknowledgements: living(kept?.value) }
  }

  const withMonitor =
    (answer: (call: Call, watch: ConsoleMonitor) => Promise<object>): Route['answer'] =>
    async call => {
      if (monitor !== undefined) return { body: await answer(call, monitor) }
      return { problem: problem(501, 'not-set-up', 'this needs a monitor: see the option `monitor` of createConsole') }
    }

  const post = { method: 'POST', kind: 'change' } as const
  return [
    {
      method: 'GET',
      path: '/api/cache/alerts',
      role: 'viewer',
      kind: 'read',
      name: 'alerts',
      answer: withMonitor((_call, watch) => alerts(watch)),
    },
    {
      ...post,
      path: '/api/cache/alerts/test',
      role: 'admin',
      rare: true,
      name: 'test-alert',
      answer: withMonitor(async ({ fields }, watch): Promise<AlertTestAnswer> => {
        onlyFields('body', fields, [])
        return { sent: await watch.testAlert() }
      }),
    },
    {
      ...post,
      path: '/api/cache/alerts/acknowledge',
      role: 'operator',
      name: 'acknowledge-alert',
      answer: withMonitor((call, watch) => acknowledge(acknowledgementOf(call, watch))),
    },
  ]
}
