import { Button, Confirm, Dialog, IconButton, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import type { BulkAction } from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'
import { useCategories } from '../../data/use-categories.ts'
import { useMay } from '../../session/session.ts'
import { CategoryPicker } from './category-picker.tsx'
import type { ContactActions } from './contact-actions.ts'
import { words } from './words.ts'

type Asked = Exclude<BulkAction, 'opt_in'>

/** What can be done to all that are selected. Stays in sight while one scrolls. */
export function BulkBar({
  contacts,
  actions,
  onClear,
}: {
  readonly contacts: readonly Contact[]
  readonly actions: ContactActions
  readonly onClear: () => void
}): ReactNode {
  const t = useWords(words)
  const may = useMay()
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const count = contacts.length
  const unavailable = !may('contacts:bulk') && t('noRight')
  const close = (): void => setAsked(undefined)
  const run = (
    action: BulkAction,
    categories: readonly { readonly id: string; readonly name: string }[] = [],
  ): void => {
    close()
    onClear()
    void actions.changeAll(contacts, action, categories)
  }
  return (
    <>
      <div className="bulk-bar" role="region" aria-label={t('selected', { count })}>
        <strong role="status">{t('selected', { count })}</strong>
        <IconButton size="small" icon="close" label={t('clearSelection')} onClick={onClear} />
        <Button size="small" icon="tag" unavailable={unavailable} onClick={() => setAsked('add_categories')}>
          {t('addTo')}
        </Button>
        <Button size="small" icon="minus" unavailable={unavailable} onClick={() => setAsked('remove_categories')}>
          {t('removeFrom')}
        </Button>
        <Button size="small" icon="stop" unavailable={unavailable} onClick={() => setAsked('opt_out')}>
          {t('optOut')}
        </Button>
        <Button size="small" icon="trash" unavailable={unavailable} onClick={() => setAsked('delete')}>
          {t('delete')}
        </Button>
      </div>
      {(asked === 'add_categories' || asked === 'remove_categories') && (
        <ChooseCategories
          count={count}
          isAdding={asked === 'add_categories'}
          onClose={close}
          onChosen={categories => run(asked, categories)}
        />
      )}
      {asked === 'opt_out' && (
        <Confirm
          title={t('bulkOutTitle', { count })}
          action={t('optOut')}
          onConfirm={() => run('opt_out')}
          onClose={close}
        >
          <p>{t('bulkOutText')}</p>
        </Confirm>
      )}
      {asked === 'delete' && (
        <Confirm
          title={t('bulkDeleteTitle', { count })}
          action={t('delete')}
          onConfirm={() => run('delete')}
          onClose={close}
        >
          <p>{t('deleteText')}</p>
        </Confirm>
      )}
    </>
  )
}

function ChooseCategories({
  count,
  isAdding,
  onChosen,
  onClose,
}: {
  readonly count: number
  readonly isAdding: boolean
  readonly onChosen: (categories: readonly { readonly id: string; readonly name: string }[]) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const { categories = [] } = useCategories()
  const [chosen, setChosen] = useState<readonly string[]>([])
  const choose = (): void =>
    onChosen(categories.filter(one => chosen.includes(one.id)).map(({ id, name }) => ({ id, name })))
  return (
    <Dialog title={t(isAdding ? 'bulkAddTitle' : 'bulkRemoveTitle', { count })} onClose={onClose}>
      <CategoryPicker legend={t('categories')} chosen={chosen} onChoose={setChosen} />
      <footer>
        <Button onClick={onClose}>{t('close')}</Button>
        <Button kind="primary" unavailable={chosen.length === 0 && t('chooseOne')} onClick={choose}>
          {t(isAdding ? 'add' : 'take')}
        </Button>
      </footer>
    </Dialog>
  )
}
