import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from 'react'
import { Button, IconButton } from './controls.tsx'
import { useWords } from './settings.tsx'
import { defineWords } from './words.ts'

const words = defineWords({ messages: 'Messages', dismiss: 'Dismiss' }, { messages: 'Messages', dismiss: 'Masquer' })

export interface Toast {
  readonly text: string
  readonly failed?: boolean
  /** What can be done about it, an undo most of the time. Such a message stays longer. */
  readonly action?: { readonly label: string; readonly run: () => void }
}

interface Shown extends Toast {
  readonly id: number
}

const ToastContext = createContext<((toast: Toast) => void) | undefined>(undefined)

const STAY_MS = 6000
const STAY_WITH_ACTION_MS = 15_000
const MOST = 4

/** Holds the short messages about what was done, and says them to screen readers. */
export function ToastProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const t = useWords(words)
  const [shown, setShown] = useState<readonly Shown[]>([])
  const last = useRef(0)
  const dismiss = useCallback((id: number) => setShown(before => before.filter(one => one.id !== id)), [])
  const say = useCallback((toast: Toast) => {
    const id = ++last.current
    setShown(before => [...before, { ...toast, id }].slice(-MOST))
  }, [])
  const region = useRef<HTMLElement>(null)
  const count = shown.length
  useEffect(() => {
    // In the top layer, above dialogs; opened again with each message, so that it comes to lie above a newer dialog.
    if (count === 0) return
    region.current?.hidePopover()
    region.current?.showPopover()
  }, [count])
  return (
    <ToastContext.Provider value={say}>
      {children}
      <section ref={region} className="toasts" popover="manual" aria-label={t('messages')} aria-live="polite">
        {shown.map(toast => (
          <ToastView key={toast.id} toast={toast} dismiss={dismiss} label={t('dismiss')} />
        ))}
      </section>
    </ToastContext.Provider>
  )
}

function ToastView({
  toast,
  dismiss,
  label,
}: {
  readonly toast: Shown
  readonly dismiss: (id: number) => void
  readonly label: string
}): ReactNode {
  const { id, text, failed = false, action } = toast
  const [held, setHeld] = useState(false)
  useEffect(() => {
    // Whoever reads it, or is on its button, is not hurried. What went wrong stays until it is dismissed.
    if (held || failed) return
    const timer = setTimeout(() => dismiss(id), action === undefined ? STAY_MS : STAY_WITH_ACTION_MS)
    return () => clearTimeout(timer)
  }, [held, failed, action, id, dismiss])
  return (
    <div
      className={failed ? 'toast failed' : 'toast'}
      role={failed ? 'alert' : undefined}
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <p>{text}</p>
      {action !== undefined && (
        <Button
          size="small"
          onClick={() => {
            dismiss(id)
            action.run()
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton label={label} icon="close" size="small" onClick={() => dismiss(id)} />
    </div>
  )
}

/** Says what was done, or what went wrong, in a corner of the page. */
export function useToast(): (toast: Toast) => void {
  const say = useContext(ToastContext)
  if (say === undefined) throw new Error('useToast: expected a ToastProvider around it')
  return useMemo(() => say, [say])
}
