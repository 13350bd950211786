import { Icon, useWords } from '@palier/design'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { PageHead } from '../../shell/page-head.tsx'
import { ImportForm } from './import-form.tsx'
import { ImportProgress } from './import-progress.tsx'
import { importWords } from './import-words.ts'
import './contact.css'
import './import.css'

/** A file of contacts, and how far its import is: the job is in the address, so that one can come back to it. */
export function ContactImport(): ReactNode {
  const t = useWords(importWords)
  const navigate = useNavigate()
  const { job } = useSearch({ from: '/shell/contacts/import' })
  return (
    <>
      <PageHead
        title={t('title')}
        lead={
          <Link to="/contacts" className="back-link">
            <Icon name="chevronLeft" />
            {t('back')}
          </Link>
        }
      />
      {job === undefined ? (
        <ImportForm onStarted={id => void navigate({ to: '/contacts/import', search: { job: id } })} />
      ) : (
        <ImportProgress key={job} job={job} />
      )}
    </>
  )
}
