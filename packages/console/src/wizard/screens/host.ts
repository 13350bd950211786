import { type Html, html } from '../html.ts'
import type { FieldValues, LoadedStep, WizardField, WizardStep } from '../options.ts'
import { banner, button, field, foot, form, select } from '../parts.ts'
import type { Screen, View } from '../view.ts'

/** What a step of the host says is wrong, on its way through the work to the page. */
export class StepRefused extends Error {
  readonly problems: Readonly<Record<string, string>>

  constructor(message: string, problems: Readonly<Record<string, string>>) {
    super(message)
    this.problems = problems
  }
}

function input(view: View, one: WizardField, { values, done }: LoadedStep): Html {
  const { language, t } = view.teller
  const { name, kind, label, hint, choices = [], autocomplete, code } = one
  const value = view.sent === undefined ? values[name] : view.sent.shown(name)
  const problem = view.problems[name]
  const said = hint?.[language]
  if (kind === 'check') {
    return html`<label class="check"><input type="checkbox" name="${name}" value="yes"${value === 'yes' && html` checked`}><span>${label[language]}${said !== undefined && html`<br><span class="small muted">${said}</span>`}</span></label>`
  }
  if (kind === 'choice') {
    return select(
      { name, label: label[language], hint: said, value, problem },
      choices.map(choice => ({ value: choice.value, label: choice.label[language] })),
    )
  }
  const kept = kind === 'password' && done ? t('step.password.kept') : undefined
  return field({ name, label: label[language], hint: kept ?? said, value, type: kind, problem, autocomplete, code })
}

/** A step of the application among those of the engine. */
export function hostScreen(step: WizardStep): Screen {
  const { id, title, lead, fields, action } = step
  return {
    id,
    title: ({ language }) => title[language],
    lead: ({ language }) => lead[language],
    async status() {
      return (await step.load('en')).done ? 'done' : 'open'
    },
    async render(view) {
      const { language, t } = view.teller
      const loaded = await step.load(language)
      const { done, summary, blocked } = loaded
      if (blocked !== undefined) return html`${banner('info', blocked[language])}${foot(view, id, { skip: false })}`
      const said =
        summary !== undefined &&
        banner(done ? 'healthy' : 'info', done ? t('step.done') : title[language], summary[language])
      const look = done ? {} : { tone: 'primary' }
      return html`${said}${form(view, id, html`<div class="card stack">${fields.map(one => input(view, one, loaded))}<div>${button('save', action?.[language] ?? t('step.save'), look)}</div></div>`)}${foot(view, id, { skip: false })}`
    },
    act({ act, form: sent, teller }) {
      if (act !== 'save') return undefined
      const values: FieldValues = Object.fromEntries(
        fields.map(({ name, kind }) => [name, kind === 'password' ? sent.raw(name) : sent.text(name)]),
      )
      const work = async (): Promise<void> => {
        const saved = await step.save(values, teller.language)
        if (saved.ok) return
        const problems = saved.problems.flatMap(({ field: name, text }) =>
          name === undefined ? [] : [[name, text[teller.language]] as const],
        )
        const whole = saved.problems.find(one => one.field === undefined)
        throw new StepRefused(whole?.text[teller.language] ?? teller.t('error.wrong'), Object.fromEntries(problems))
      }
      return { work, to: '' }
    },
  }
}
