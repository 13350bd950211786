import { Banner, Button, Card, Empty, Failure, Icon, Loading, Segmented, useFormat, useWords } from '@palier/design'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import type { Contact } from '../../data/context.tsx'
import { usePending } from '../../data/context.tsx'
import { isSaving } from '../../data/pending.ts'
import { useProblem } from '../../data/problems.ts'
import { useContact } from '../../data/use-contacts.ts'
import { useNow } from '../../data/use-now.ts'
import { useMay } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { Activity, Messages } from './activity.tsx'
import { type ContactActions, useContactActions } from './contact-actions.ts'
import { ContactDrawer } from './contact-drawer.tsx'
import { DeleteContact } from './delete-contact.tsx'
import { contactWords } from './contact-words.ts'
import { CategoryName, Consent, useColours } from './parts.tsx'
import { SendMessage } from './send-message.tsx'
import { useDraft } from './use-draft.ts'
import { words } from './words.ts'
import './contacts.css'
import './contact.css'

export function ContactPage(): ReactNode {
  const { id } = useParams({ from: '/shell/contacts/$id' })
  // Another contact is another page: no form or place in a list is carried over.
  return <OneContact key={id} id={id} />
}

function OneContact({ id }: { readonly id: string }): ReactNode {
  const t = useWords(contactWords)
  const say = useProblem()
  const { contact, isGone, error, refetch, data } = useContact(id)
  const again = (): void => void refetch()
  const isMissing = isGone || (error instanceof ApiError && error.status === 404)
  return (
    <>
      <PageHead title={contact?.name ?? t(isMissing ? 'goneTitle' : 'loading')} lead={<Back />}>
        {contact !== undefined && !isMissing && <Commands contact={contact} />}
      </PageHead>
      {isMissing && (
        <Card>
          <Empty icon="user" title={t('goneTitle')} action={<Link to="/contacts">{t('back')}</Link>}>
            {t('goneText')}
          </Empty>
        </Card>
      )}
      {!isMissing && contact === undefined && error !== null && <Failure {...say(error)} onRetry={again} />}
      {!isMissing && contact === undefined && error === null && (
        <Card>
          <Loading lines={6} height="1.5rem" onRetry={again} />
        </Card>
      )}
      {!isMissing && contact !== undefined && (
        <>
          {(error !== null || data?.offline === true) && (
            <Banner
              tone="degraded"
              title={t('old')}
              actions={
                <Button size="small" icon="refresh" onClick={again}>
                  {t('readAgain')}
                </Button>
              }
            >
              {error === null ? '' : say(error).text}
            </Banner>
          )}
          <Body contact={contact} />
        </>
      )}
    </>
  )
}

function Back(): ReactNode {
  const t = useWords(contactWords)
  return (
    <Link to="/contacts" className="back-link">
      <Icon name="chevronLeft" />
      {t('back')}
    </Link>
  )
}

function Commands({ contact }: { readonly contact: Contact }): ReactNode {
  const t = useWords(contactWords)
  const may = useMay()
  const navigate = useNavigate()
  const actions = useContactActions()
  const { draft, open, close } = useDraft()
  const [isLeaving, setIsLeaving] = useState(false)
  const unavailable = !may('contacts:write') && t('noRight')
  const remove = (): void => {
    setIsLeaving(false)
    void actions.remove(contact)
    void navigate({ to: '/contacts' })
  }
  return (
    <>
      <Button icon="trash" unavailable={unavailable} onClick={() => setIsLeaving(true)}>
        {t('delete')}
      </Button>
      <Button kind="primary" icon="edit" unavailable={unavailable} onClick={() => open(actions.edit(contact))}>
        {t('edit')}
      </Button>
      {isLeaving && <DeleteContact contact={contact} onConfirm={remove} onClose={() => setIsLeaving(false)} />}
      {draft !== undefined && (
        <ContactDrawer
          draft={draft}
          onClose={close}
          onSave={(form, seen) => {
            close()
            void actions.saveChange(seen ?? contact, form)
          }}
        />
      )}
    </>
  )
}

function Body({ contact }: { readonly contact: Contact }): ReactNode {
  const t = useWords(contactWords)
  const may = useMay()
  const actions = useContactActions()
  const [view, setView] = useState<'timeline' | 'messages'>('timeline')
  return (
    <div className="contact-page">
      <div className="stack">
        <Facts contact={contact} />
        <ConsentCard contact={contact} actions={actions} />
      </div>
      <div className="stack">
        <SendMessage contact={contact} />
        {may('messages:read') && (
          <Card
            title={t(view)}
            actions={
              <Segmented
                label={t('views')}
                value={view}
                choices={[
                  { value: 'timeline', label: t('timeline') },
                  { value: 'messages', label: t('messages') },
                ]}
                onChoose={setView}
              />
            }
          >
            {view === 'timeline' ? <Activity id={contact.id} /> : <Messages contact={contact} />}
          </Card>
        )}
      </div>
    </div>
  )
}

function Facts({ contact }: { readonly contact: Contact }): ReactNode {
  const t = useWords(contactWords)
  const list = useWords(words)
  const format = useFormat()
  const colours = useColours()
  const pending = usePending()
  const { phone, email, username, categories, attributes, created_at, updated_at } = contact
  return (
    <Card
      title={t('facts')}
      actions={
        isSaving(pending, contact.id) && (
          <span className="small muted saving" role="status">
            <span className="spinner" aria-hidden="true" />
            {list('saving')}
          </span>
        )
      }
    >
      <dl className="facts">
        <dt>{t('phone')}</dt>
        <dd>{phone === null ? '–' : <a href={`tel:${phone}`}>{phone}</a>}</dd>
        <dt>{t('email')}</dt>
        <dd>{email === null ? '–' : <a href={`mailto:${email}`}>{email}</a>}</dd>
        {username !== null && (
          <>
            <dt>{t('whatsapp')}</dt>
            <dd>{username}</dd>
          </>
        )}
        <dt>{t('categories')}</dt>
        <dd>
          {categories.length === 0 && <span className="muted">{t('none')}</span>}
          <ul className="stack tight">
            {categories.map(one => (
              <li key={one.id}>
                <Link to="/contacts" search={{ category: one.id }} className="plain-link">
                  <CategoryName name={one.name} color={colours.get(one.id)} />
                </Link>
              </li>
            ))}
          </ul>
        </dd>
        {Object.entries(attributes).map(([name, text]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
        <dt>{t('added')}</dt>
        <dd>{format.dateTime(created_at)}</dd>
        <dt>{t('changed')}</dt>
        <dd>{format.dateTime(updated_at)}</dd>
      </dl>
    </Card>
  )
}

function ConsentCard({ contact, actions }: { readonly contact: Contact; readonly actions: ContactActions }): ReactNode {
  const t = useWords(contactWords)
  const format = useFormat()
  const may = useMay()
  const now = useNow()
  const { opt_in_at, opt_out_at, window_expires_at, last_inbound_at } = contact
  const left = (window_expires_at ?? 0) - now
  const isIn = opt_in_at !== null && opt_out_at === null
  const unavailable = !may('contacts:write') && t('noRight')
  return (
    <Card title={t('consent')} actions={<Consent contact={contact} />}>
      <div className="stack">
        <p>
          {opt_out_at !== null && t('optedOutAt', { date: format.dateTime(opt_out_at) })}
          {isIn && t('optedInAt', { date: format.dateTime(opt_in_at) })}
          {opt_in_at === null && opt_out_at === null && t('neverAsked')}
        </p>
        <div className="row">
          {!isIn && (
            <Button size="small" icon="check" unavailable={unavailable} onClick={() => void actions.optIn(contact)}>
              {t('optIn')}
            </Button>
          )}
          {opt_out_at === null && (
            <Button size="small" icon="stop" unavailable={unavailable} onClick={() => void actions.optOut(contact)}>
              {t('optOut')}
            </Button>
          )}
        </div>
        <div className="stack tight">
          <h3>{t('window')}</h3>
          <p>{left > 0 ? t('windowOpen', { left: format.duration(left) }) : t('windowClosed')}</p>
          {last_inbound_at !== null && (
            <p className="small muted">{t('lastInbound', { age: format.relative(last_inbound_at, now) })}</p>
          )}
        </div>
      </div>
    </Card>
  )
}
