import type { SetupState, StepStatus } from 'palier/setup'
import type { Form } from './forms.ts'
import type { Html } from './html.ts'
import type { WizardOptions, WizardSetup } from './options.ts'
import type { RunTools } from './runs.ts'
import type { Teller } from './tell.ts'

export interface ScreenStatus {
  readonly id: string
  readonly title: string
  readonly status: StepStatus
}

/** What a screen is drawn from. */
export interface View {
  readonly teller: Teller
  readonly state: SetupState
  readonly setup: WizardSetup
  readonly options: WizardOptions
  /** The hidden field that each form holds. */
  readonly token: Html
  /** All screens in their order. */
  readonly screens: readonly ScreenStatus[]
  /** What was sent, when it was refused: fields keep what was typed, passwords excepted. */
  readonly sent: Form | undefined
  /** Texts beside fields, by their names. */
  readonly problems: Readonly<Record<string, string>>
  readonly now: number
}

/** What a form of a screen asks for. */
export interface Ask {
  readonly setup: WizardSetup
  readonly form: Form
  /** The value of the button that was pressed. */
  readonly act: string
  readonly state: SetupState
  readonly teller: Teller
}

/** What becomes of it. */
export type Outcome =
  /** Work; when it is done the visitor is on the screen `to`, or still on this one. */
  | { readonly work: (tools: RunTools) => Promise<unknown>; readonly to?: string }
  /** To the next screen, or to one by its name. */
  | { readonly to: string | undefined }
  | { readonly refused: string; readonly problems?: Readonly<Record<string, string>> }
  /** A page of its own, sent at once. */
  | { readonly last: true }
  | undefined

export interface Screen {
  readonly id: string
  title(teller: Teller): string
  /** One or two sentences below the title, where there is something to say. */
  lead(teller: Teller, state: SetupState): string | undefined
  status(state: SetupState): StepStatus | Promise<StepStatus>
  render(view: View): Html | Promise<Html>
  /** Undefined for a button that this screen does not have. */
  act(ask: Ask): Outcome | Promise<Outcome>
  /** What starts by itself when somebody arrives by "Continue" and the step is still open. */
  begin?(setup: WizardSetup): (tools: RunTools) => Promise<unknown>
  /** Settings are looked at, never passed over by "Continue". */
  readonly always?: boolean
}
