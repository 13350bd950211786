export const LANGUAGES = ['en', 'fr'] as const
export type Language = (typeof LANGUAGES)[number]

/** A text; where a number decides, one for each plural category that a language has. `{name}` stands for a value. */
export type Message = string | { readonly one: string; readonly other: string }
type Dictionary = Readonly<Record<string, Message>>
export type Values = Readonly<Record<string, string | number>>

/** The texts of a screen in every language. */
export interface Words<K extends string> {
  readonly en: Readonly<Record<K, Message>>
  readonly fr: Readonly<Record<K, Message>>
}

/** `count` decides between the forms of a plural; numbers are written as the language writes them. */
export type Translate<K extends string> = (key: K, values?: Values) => string

/** French sets a no-break space before these marks and inside its quotes; written here once instead of in each text. */
function spaced(text: string): string {
  return text.replaceAll(/ ([:;!?%»€])/g, '\u00a0$1').replaceAll('« ', '«\u00a0')
}

function spacedMessage(message: Message): Message {
  if (typeof message === 'string') return spaced(message)
  return { one: spaced(message.one), other: spaced(message.other) }
}

/** The texts of a screen. A key that French lacks, or has alone, does not compile. */
export function defineWords<const E extends Dictionary>(
  en: E,
  fr: Readonly<Record<keyof E, Message>>,
): Words<keyof E & string> {
  const entries = Object.entries<Message>(fr).map(([key, message]) => [key, spacedMessage(message)])
  return { en, fr: Object.fromEntries(entries) as Record<keyof E & string, Message> }
}

/** The function that says the texts of `words` in a language. */
export function translator<K extends string>(words: Words<K>, language: Language): Translate<K> {
  const numbers = new Intl.NumberFormat(language)
  const plurals = new Intl.PluralRules(language)
  const said = (value: string | number): string => (typeof value === 'number' ? numbers.format(value) : value)
  return (key, values = {}) => {
    const message = words[language][key]
    const text =
      typeof message === 'string'
        ? message
        : message[plurals.select(Number(values['count'] ?? 0)) === 'one' ? 'one' : 'other']
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name]
      return value === undefined ? whole : said(value)
    })
  }
}
