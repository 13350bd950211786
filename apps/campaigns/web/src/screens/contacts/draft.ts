import type { ContactForm, ChangedField } from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'

/** A form that is open, or that could not be saved and is opened again with what was typed. */
export interface Draft {
  readonly form: ContactForm
  /** The contact that is edited; undefined for a new one. */
  readonly seen?: Contact
  /** What the server said of the fields. */
  readonly problems?: Readonly<Record<string, string>>
  /** The fields in which `seen`, as it is now, differs from what was typed. */
  readonly conflicts?: readonly ChangedField[]
}

declare module '@tanstack/react-router' {
  interface HistoryState {
    /** In the state of the history: a message's "Try again" finds the form from wherever the person is by then. */
    readonly draft?: Draft
  }
}
