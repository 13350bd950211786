import { Counter, Histogram, Registry } from 'prom-client'

/** What the application counts of itself, beside what the cache counts. One registry a process; no global one. */
export interface Metrics {
  request(route: string, method: string, status: number, ms: number): void
  job(name: string, outcome: 'done' | 'failed' | 'again', ms: number): void
  sent(outcome: string): void
  event(kind: string, outcome: 'new' | 'repeated' | 'refused' | 'failed'): void
  /** Prometheus text. */
  text(): Promise<string>
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Histogram({
    name: 'campaigns_http_request_seconds',
    help: 'How long requests took, by route.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  })
  const jobs = new Histogram({
    name: 'campaigns_job_seconds',
    help: 'How long runs of jobs took.',
    labelNames: ['name', 'outcome'],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
    registers,
  })
  const sent = new Counter({
    name: 'campaigns_messages_sent_total',
    help: 'Attempts to send a message, by what came of them.',
    labelNames: ['outcome'],
    registers,
  })
  const events = new Counter({
    name: 'campaigns_webhook_events_total',
    help: 'Events of webhooks, by what became of them.',
    labelNames: ['kind', 'outcome'],
    registers,
  })
  return {
    request: (route, method, status, ms) => requests.observe({ route, method, status: String(status) }, ms / 1000),
    job: (name, outcome, ms) => jobs.observe({ name, outcome }, ms / 1000),
    sent: outcome => sent.inc({ outcome }),
    event: (kind, outcome) => events.inc({ kind, outcome }),
    text: () => registry.metrics(),
  }
}
