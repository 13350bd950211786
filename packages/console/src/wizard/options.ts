import { badOption, type Logger } from 'palier'
import type { Language, Setup } from 'palier/setup'

/** A text in both languages. */
export type Text = Readonly<Record<Language, string>>

/** One question of a step of the host. */
export interface WizardField {
  readonly name: string
  readonly kind: 'text' | 'email' | 'password' | 'choice' | 'check'
  readonly label: Text
  readonly hint?: Text
  /** Of a `choice`. */
  readonly choices?: readonly { readonly value: string; readonly label: Text }[]
  /** As the attribute `autocomplete` knows it. */
  readonly autocomplete?: string
  /** Shown in the type of programs: paths and addresses. */
  readonly code?: boolean
}

export type FieldValues = Readonly<Record<string, string>>

export interface LoadedStep {
  /** What the fields begin with. Values of the kind `password` are never shown, whatever is given. A ticked `check` is `yes`. */
  readonly values: FieldValues
  readonly done: boolean
  /** What was found or done, for the page and the panel "What we know". */
  readonly summary?: Text
  /** Why the step cannot be made yet. */
  readonly blocked?: Text
}

export type SavedStep =
  | { readonly ok: true }
  /** Without a field: what is wrong with the whole. */
  | { readonly ok: false; readonly problems: readonly { readonly field?: string; readonly text: Text }[] }

/** A step of the host application, shown as the others are. */
export interface WizardStep {
  /** Lower-case letters; part of the address. */
  readonly id: string
  readonly title: Text
  readonly lead: Text
  readonly fields: readonly WizardField[]
  /** What the button says: default "Save". */
  readonly action?: Text
  load(language: Language): Promise<LoadedStep>
  /** Does it, for as long as it takes: a page shows that it is under way. What it rejects with is shown by its message. */
  save(values: FieldValues, language: Language): Promise<SavedStep>
}

export interface WizardOptions {
  /** What is being installed, in titles. Default `Palier`. */
  readonly name?: string
  /** Steps behind "Your server": what the application needs before its cache, such as a database. */
  readonly before?: readonly WizardStep[]
  /** Steps before "Review and apply", such as the first administrator. */
  readonly after?: readonly WizardStep[]
  /** What each declared type holds, in few words. Default: its description. */
  readonly types?: Readonly<Record<string, Text>>
  /** What the last page leads to: addresses from the root of the site. */
  readonly proof?: {
    readonly site?: string
    readonly console?: string
    /** The line for a crontab, when it is more than that of the cache. */
    readonly cron?: string
    /** What an uptime service may call where there is no cron. */
    readonly pinger?: string
  }
  /** Where failures are told. Default `console`; false: nowhere. */
  readonly logger?: Logger | false
}

/** Throws PALIER_BAD_OPTION for an id that is none, or is there twice. */
export function checkSteps({ before = [], after = [] }: WizardOptions, taken: readonly string[]): void {
  const seen = new Set(taken)
  for (const { id } of [...before, ...after]) {
    if (!/^[a-z]{1,32}$/.test(id) || seen.has(id)) {
      throw badOption('steps.id', 'lower-case letters, another name for each step', id)
    }
    seen.add(id)
  }
}

export type WizardSetup = Pick<
  Setup,
  | 'tokenFile'
  | 'unlock'
  | 'state'
  | 'setLanguage'
  | 'run'
  | 'skip'
  | 'fast'
  | 'review'
  | 'keep'
  | 'revert'
  | 'report'
  | 'finish'
>
