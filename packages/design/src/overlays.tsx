import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef } from 'react'
import { Button, IconButton } from './controls.tsx'
import { useWords } from './settings.tsx'
import { defineWords } from './words.ts'

const words = defineWords(
  { close: 'Close', cancel: 'Cancel', more: 'More actions' },
  { close: 'Fermer', cancel: 'Annuler', more: 'Autres actions' },
)

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  /** `drawer` comes from the side and leaves the list beside it in sight. */
  readonly shape?: 'wide' | 'drawer'
  readonly children: ReactNode
}

/**
 * The browser's own modal dialog: it holds the focus, closes with Escape and gives the focus back to where it was.
 * Rendered while it is open; `onClose` takes it away.
 */
export function Dialog({ title, onClose, shape, children }: DialogProps): ReactNode {
  const t = useWords(words)
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    if (dialog !== null && !dialog.open) dialog.showModal()
    return () => {
      // A dialog that leaves the page without being closed would not give the focus back.
      dialog?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      className={shape === undefined ? 'dialog' : `dialog ${shape}`}
      aria-labelledby={id}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <div className="dialog-body">
        <header>
          <h2 id={id}>{title}</h2>
          <IconButton label={t('close')} icon="close" size="small" onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  )
}

/** Asks before something that cannot be taken back, in words that say what will happen. */
export function Confirm({
  title,
  children,
  action,
  danger = true,
  busy = false,
  unavailable,
  onConfirm,
  onClose,
}: {
  readonly title: string
  readonly children: ReactNode
  /** The verb on the button. */
  readonly action: string
  readonly danger?: boolean
  readonly busy?: boolean
  readonly unavailable?: string | false
  readonly onConfirm: () => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="stack tight">{children}</div>
      <footer>
        <Button onClick={onClose}>{t('cancel')}</Button>
        <Button kind={danger ? 'danger' : 'primary'} busy={busy} unavailable={unavailable} onClick={onConfirm}>
          {action}
        </Button>
      </footer>
    </Dialog>
  )
}

const ARROWS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 }

function moveInMenu(event: KeyboardEvent<HTMLElement>): void {
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>('a, button:not(:disabled)')]
  const at = items.indexOf(document.activeElement as HTMLElement)
  const step = ARROWS[event.key]
  const target =
    event.key === 'Home' ? 0 : event.key === 'End' ? items.length - 1 : step === undefined ? undefined : at + step
  if (target === undefined) return
  event.preventDefault()
  items.at(target % items.length)?.focus()
}

/** A button that opens a few actions, `<button>` or `<a>`, in the top layer of the browser. */
export function Menu({
  label,
  trigger,
  children,
}: {
  /** The name of the button; unless said, "More actions". */
  readonly label?: string
  /** What the button shows, its text; an icon of three dots unless said. */
  readonly trigger?: ReactNode
  readonly children: ReactNode
}): ReactNode {
  const t = useWords(words)
  const id = useId()
  const ref = useRef<HTMLDivElement>(null)
  const place = (button: HTMLElement): void => {
    const menu = ref.current
    if (menu === null) return
    const box = button.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height } = menu
    const below = box.bottom + 4 + height <= innerHeight
    menu.style.top = `${below ? box.bottom + 4 : Math.max(4, box.top - 4 - height)}px`
    menu.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`
  }
  const open = (button: HTMLElement): void => {
    ref.current?.togglePopover()
    if (ref.current?.matches(':popover-open') !== true) return
    place(button)
    ref.current.querySelector<HTMLElement>('a, button:not(:disabled)')?.focus()
  }
  const name = label ?? t('more')
  return (
    <>
      {trigger === undefined ? (
        <IconButton
          label={name}
          icon="more"
          size="small"
          aria-haspopup="menu"
          onClick={event => open(event.currentTarget)}
        />
      ) : (
        <Button
          kind="quiet"
          size="small"
          aria-haspopup="menu"
          aria-label={label}
          onClick={event => open(event.currentTarget)}
        >
          {trigger}
        </Button>
      )}
      <div
        ref={ref}
        id={id}
        className="menu"
        popover="auto"
        role="group"
        aria-label={name}
        onKeyDown={moveInMenu}
        onClick={() => ref.current?.hidePopover()}
      >
        {children}
      </div>
    </>
  )
}
