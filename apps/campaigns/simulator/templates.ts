/** Templates of the simulated account, in the shape of `GET /{waba}/message_templates`. */
export interface Template {
  readonly id: string
  readonly name: string
  readonly language: string
  readonly category: 'MARKETING' | 'UTILITY' | 'AUTHENTICATION'
  readonly status: 'APPROVED' | 'PENDING' | 'REJECTED' | 'PAUSED' | 'DISABLED' | 'IN_APPEAL'
  readonly quality_score: { readonly score: 'GREEN' | 'YELLOW' | 'RED' | 'UNKNOWN' }
  readonly components: readonly TemplateComponent[]
}

export interface TemplateComponent {
  readonly type: 'HEADER' | 'BODY' | 'FOOTER' | 'BUTTONS'
  readonly format?: string
  readonly text?: string
  readonly buttons?: readonly { readonly type: string; readonly text: string; readonly url?: string }[]
}

function offer(id: string, language: string, body: string, yes: string, no: string): Template {
  const buttons = [yes, no].map(text => ({ type: 'QUICK_REPLY', text }))
  return {
    id,
    name: 'spring_offer',
    language,
    category: 'MARKETING',
    status: 'APPROVED',
    quality_score: { score: 'GREEN' },
    components: [
      { type: 'BODY', text: body },
      { type: 'FOOTER', text: 'Palier' },
      { type: 'BUTTONS', buttons },
    ],
  }
}

function plain(id: string, name: string, status: Template['status'], rest: Partial<Template> = {}): Template {
  return {
    id,
    name,
    language: 'fr',
    category: 'MARKETING',
    status,
    quality_score: { score: 'UNKNOWN' },
    components: [{ type: 'BODY', text: 'Bonjour {{1}}, des nouvelles de chez nous.' }],
    ...rest,
  }
}

export const SAMPLE_TEMPLATES: readonly Template[] = [
  offer('900001', 'fr', 'Bonjour {{1}} 👋 L’été commence : -20 % jusqu’au {{2}}.', 'Ça m’intéresse', 'Non merci'),
  offer('900002', 'en_US', 'Hello {{1}} 👋 Summer starts here: 20% off until {{2}}.', 'Tell me more', 'No thanks'),
  plain('900003', 'reminder', 'APPROVED', { quality_score: { score: 'YELLOW' } }),
  plain('900004', 'order_update', 'APPROVED', {
    category: 'UTILITY',
    quality_score: { score: 'GREEN' },
    components: [{ type: 'BODY', text: 'Votre commande {{1}} est prête.' }],
  }),
  plain('900005', 'autumn_news', 'PENDING'),
  plain('900006', 'too_pushy', 'REJECTED'),
  plain('900007', 'winter_sale', 'PAUSED', { quality_score: { score: 'RED' } }),
  plain('900008', 'old_offer', 'DISABLED', { quality_score: { score: 'RED' } }),
]

/** The different placeholders of a text: `{{1}}`, `{{first_name}}`. */
export function placeholders(text: string): number {
  return new Set(text.match(/\{\{\s*\w+\s*\}\}/g)).size
}

export function bodyOf({ components }: Template): string {
  return components.find(({ type }) => type === 'BODY')?.text ?? ''
}

/** The quick replies in order; their index is the one of the request's button components. */
export function buttonsOf({ components }: Template): readonly { readonly type: string; readonly text: string }[] {
  return components.find(({ type }) => type === 'BUTTONS')?.buttons ?? []
}
