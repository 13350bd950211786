import type { FormHTMLAttributes, ReactNode } from 'react'

/** What was typed, by the names of the fields; texts only. A name that stands for nothing typed is an empty text. */
export type FormValues = (name: string) => string

/** A form that is sent by this page, not by the browser. */
export function Form({
  onSend,
  children,
  ...rest
}: Omit<FormHTMLAttributes<HTMLFormElement>, 'onSubmit'> & {
  readonly onSend: (values: FormValues) => void
}): ReactNode {
  return (
    <form
      {...rest}
      onSubmit={event => {
        event.preventDefault()
        const data = new FormData(event.currentTarget)
        onSend(name => {
          const value = data.get(name)
          return typeof value === 'string' ? value : ''
        })
      }}
    >
      {children}
    </form>
  )
}
