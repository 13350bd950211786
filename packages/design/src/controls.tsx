import {
  type ButtonHTMLAttributes,
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from 'react'
import { Icon, type IconName } from './icon.tsx'

const classes = (...names: readonly (string | false | undefined)[]): string => names.filter(Boolean).join(' ')

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  readonly kind?: 'primary' | 'danger' | 'quiet' | undefined
  readonly size?: 'small' | undefined
  readonly icon?: IconName | undefined
  /** Something is under way because of it: it shows so, and does nothing meanwhile. */
  readonly busy?: boolean | undefined
  /** Why it cannot be used now. It stays where it is, can be reached, and says so. */
  readonly unavailable?: string | false | undefined
}

/** A button with a text. What cannot be done stays visible and says why. */
export function Button({
  kind,
  size,
  icon,
  busy = false,
  unavailable = false,
  type = 'button',
  className,
  children,
  onClick,
  ...rest
}: ButtonProps): ReactNode {
  const reason = useId()
  const off = busy || unavailable !== false
  return (
    <>
      <button
        {...rest}
        type={off ? 'button' : type}
        className={classes('button', kind, size, className)}
        aria-disabled={off ? true : undefined}
        aria-busy={busy ? true : undefined}
        aria-describedby={unavailable === false ? rest['aria-describedby'] : reason}
        title={unavailable === false ? rest.title : unavailable}
        onClick={off ? undefined : onClick}
      >
        {busy ? <span className="spinner" aria-hidden="true" /> : icon !== undefined && <Icon name={icon} />}
        {children}
      </button>
      {unavailable !== false && (
        <span id={reason} className="visually-hidden">
          {unavailable}
        </span>
      )}
    </>
  )
}

/** A button that is an icon; `label` is its name. */
export function IconButton({
  label,
  icon,
  ...rest
}: Omit<ButtonProps, 'children'> & { readonly label: string; readonly icon: IconName }): ReactNode {
  return (
    <Button
      kind="quiet"
      {...rest}
      icon={icon}
      aria-label={label}
      title={label}
      className={classes('icon-only', rest.className)}
    />
  )
}

export interface FieldProps {
  readonly label: string
  readonly hint?: ReactNode
  /** What is wrong with it, said in full. */
  readonly problem?: string | undefined
  readonly children: (given: {
    readonly id: string
    readonly 'aria-describedby': string | undefined
    readonly 'aria-invalid': true | undefined
  }) => ReactNode
}

/** A label with its control, hint and problem, tied together. */
export function Field({ label, hint, problem, children }: FieldProps): ReactNode {
  const id = useId()
  const described = [hint !== undefined && `${id}-hint`, problem !== undefined && `${id}-problem`].filter(Boolean)
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        'aria-describedby': described.length === 0 ? undefined : described.join(' '),
        'aria-invalid': problem === undefined ? undefined : true,
      })}
      {hint !== undefined && (
        <span className="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {problem !== undefined && (
        <span className="problem" id={`${id}-problem`} role="alert">
          {problem}
        </span>
      )}
    </div>
  )
}

/** What a dialog looks for when it opens; React gives the focus before there is an open dialog, where it is lost. */
const markFirst = (input: HTMLInputElement | null): void => input?.setAttribute('autofocus', '')

type Labelled<T> = Omit<T, 'id'> & Pick<FieldProps, 'label' | 'hint' | 'problem'>

export function TextField({
  label,
  hint,
  problem,
  className,
  ...rest
}: Labelled<InputHTMLAttributes<HTMLInputElement>>): ReactNode {
  return (
    <Field label={label} hint={hint} problem={problem}>
      {given => (
        <input
          {...rest}
          {...given}
          ref={rest.autoFocus === true ? markFirst : undefined}
          className={classes('input', className)}
        />
      )}
    </Field>
  )
}

export function TextArea({
  label,
  hint,
  problem,
  className,
  ...rest
}: Labelled<TextareaHTMLAttributes<HTMLTextAreaElement>>): ReactNode {
  return (
    <Field label={label} hint={hint} problem={problem}>
      {given => <textarea {...rest} {...given} className={classes('input', className)} />}
    </Field>
  )
}

export interface Choice {
  readonly value: string
  readonly label: string
}

export function Select({
  label,
  hint,
  problem,
  choices,
  className,
  ...rest
}: Labelled<SelectHTMLAttributes<HTMLSelectElement>> & { readonly choices: readonly Choice[] }): ReactNode {
  return (
    <Field label={label} hint={hint} problem={problem}>
      {given => (
        <select {...rest} {...given} className={classes('input', className)}>
          {choices.map(({ value, label: text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** A filter box; the label is for those who do not see the magnifying glass. */
export function SearchField({
  label,
  ...rest
}: Omit<InputHTMLAttributes<HTMLInputElement>, 'type'> & { readonly label: string }): ReactNode {
  return (
    <div className="input-with-icon grow">
      <Icon name="search" />
      <input {...rest} type="search" className="input" aria-label={label} placeholder={rest.placeholder ?? label} />
    </div>
  )
}

export function Checkbox({
  label,
  hint,
  ...rest
}: Omit<InputHTMLAttributes<HTMLInputElement>, 'type'> & {
  readonly label: ReactNode
  readonly hint?: ReactNode
}): ReactNode {
  return (
    <label className="check">
      <input {...rest} type="checkbox" />
      <span>
        {label}
        {hint !== undefined && <span className="muted small"> {hint}</span>}
      </span>
    </label>
  )
}

/** One of a few, each of which is seen. */
export function Segmented<T extends string>({
  label,
  value,
  choices,
  onChoose,
}: {
  readonly label: string
  readonly value: T
  readonly choices: readonly { readonly value: T; readonly label: string }[]
  readonly onChoose: (value: T) => void
}): ReactNode {
  return (
    <div className="segmented" role="group" aria-label={label}>
      {choices.map(choice => (
        <button
          key={choice.value}
          type="button"
          aria-pressed={choice.value === value}
          onClick={() => onChoose(choice.value)}
        >
          {choice.label}
        </button>
      ))}
    </div>
  )
}
