import Type, { type Static } from 'typebox'
import Value from 'typebox/value'

/** Every setting: what it is for, what it may be, and what it is until somebody says otherwise. */
const words = (description: string, fallback: string[]) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 40 }), { maxItems: 50, default: fallback, description })

const days = (what: string, maximum: number, fallback: number) =>
  Type.Integer({ minimum: 1, maximum, default: fallback, description: `Days for which ${what} kept.` })

export const SettingsSchema = Type.Object(
  {
    company_name: Type.String({
      minLength: 1,
      maxLength: 120,
      pattern: '\\S',
      expected: 'a name of 1 to 120 characters',
      default: 'Campaigns',
      description: 'Who the pages and the mail are from.',
    }),
    default_locale: Type.Enum(['en', 'fr'], {
      default: 'en',
      description: 'The language of new accounts and of published pages.',
    }),
    default_country: Type.String({
      pattern: '^([A-Z]{2})?$',
      expected: 'two capital letters such as FR, or an empty text',
      default: '',
      description: 'What a phone number without a country code is read as. Empty: such numbers are refused.',
    }),
    mail_from: Type.String({
      minLength: 3,
      maxLength: 254,
      pattern: '^[^\\s@<>]+@[^\\s@<>]+$',
      expected: 'an e-mail address of at most 254 characters, such as campaigns@example.org',
      default: 'campaigns@localhost',
      description: 'The sender of the mail of the application.',
    }),
    opt_out_words: words('Whoever answers one of these words gets nothing any more. Case and accents do not count.', [
      'stop',
      'unsubscribe',
      'arret',
      'desabonner',
    ]),
    opt_in_words: words('Whoever answers one of these words may be written to again.', ['start', 'subscribe']),
    rate_per_minute: Type.Integer({
      minimum: 1,
      maximum: 60_000,
      default: 1200,
      description: 'Messages a minute of a campaign that does not say its own rate.',
    }),
    interaction_timeout_h: Type.Integer({
      minimum: 1,
      maximum: 168,
      default: 24,
      description: 'Hours after Message 1 without an answer until it counts as no interaction; for new campaigns.',
    }),
    accept_late: Type.Boolean({
      default: false,
      description: 'Whether new campaigns send Message 2 to those who answer after that time.',
    }),
    inbox_days: days('processed webhooks are', 3650, 30),
    jobs_days: days('ended jobs are', 3650, 30),
    history_days: days('the history of changes is', 36_500, 730),
  },
  { additionalProperties: false },
)

export type SettingValues = Static<typeof SettingsSchema>
export type SettingName = keyof SettingValues

export const SETTING_NAMES = Object.keys(SettingsSchema.properties) as SettingName[]

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SettingsSchema.properties, name)
}

export const DEFAULT_SETTINGS: SettingValues = Value.Create(SettingsSchema)
