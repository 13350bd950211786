import { useToast, useWords } from '@palier/design'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type RefObject, useMemo, useRef, useState } from 'react'
import {
  type Campaign,
  campaignQuery,
  type NewCampaignBody,
  type Template,
  templatesQuery,
} from '../../data/campaigns.ts'
import { type Answer, ApiError } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { bodyOf, type Draft, draftOf, type Fault, faultsOf, isChanged } from './draft.ts'
import { editorWords } from './editor-words.ts'

export interface FormProps {
  /** Undefined: it is a new one. */
  readonly campaign?: Campaign
  readonly initial: Draft
}

export interface DraftForm {
  readonly draft: Draft
  change(changes: Partial<Draft>): void
  /** Something would be lost. */
  readonly changed: boolean
  readonly busy: boolean
  /** What is shown as wrong: a name only once saving was tried. */
  readonly faults: readonly Fault[]
  /** Saves over the version that is known here, or over the given one. Resolves with the faults that kept it from it. */
  save(version?: number): Promise<readonly Fault[]>
  /** Somebody else's version, when it was saved in between. */
  readonly theirs: Campaign | undefined
  adopt(campaign: Campaign): void
  readonly templates: readonly Template[]
  readonly templateById: ReadonlyMap<string, Template>
  /** The page leaves by itself: nothing is lost. */
  readonly leaving: RefObject<boolean>
}

/** Sends a draft: a new campaign, or a change of one. */
function useSend(
  campaign: Campaign | undefined,
): (body: NewCampaignBody, version: number) => Promise<Answer<Campaign>> {
  const client = useClient()
  const queries = useQueryClient()
  return async (body, version) => {
    const answer =
      campaign === undefined
        ? await client.ask('POST /campaigns', { body })
        : await client.ask('PATCH /campaigns/{id}', { path: { id: campaign.id }, body: { version, ...body } })
    queries.setQueryData(campaignQuery(client, answer.value.id).queryKey, answer)
    return answer
  }
}

/** Says why it was not saved. Resolves with somebody else's version when that is the reason. */
function useRefused(
  campaign: Campaign | undefined,
): (error: unknown, version: number) => Promise<Campaign | undefined> {
  const client = useClient()
  const queries = useQueryClient()
  const toast = useToast()
  const say = useProblem()
  return async (error, version) => {
    if (campaign !== undefined && error instanceof ApiError && error.status === 409) {
      const now = await queries.query({ ...campaignQuery(client, campaign.id), staleTime: 0 }).catch(() => undefined)
      if (now !== undefined && now.value.version !== version && now.value.actions.includes('edit')) return now.value
    }
    const { text, fields } = say(error)
    const details = Object.entries(fields).map(([field, what]) => `${field}: ${what}`)
    toast({ text: [text, ...details].join(' '), failed: true })
    return undefined
  }
}

/** The draft with what was saved of it, and what saves it. */
export function useDraft({ campaign, initial }: FormProps): DraftForm {
  const t = useWords(editorWords)
  const client = useClient()
  const refresh = useRefresh()
  const toast = useToast()
  const navigate = useNavigate()
  const send = useSend(campaign)
  const refused = useRefused(campaign)
  const [base, setBase] = useState({ saved: initial, version: campaign?.version ?? 0 })
  const [draft, setDraft] = useState(initial)
  const [busy, setBusy] = useState(false)
  const [isTried, setIsTried] = useState(false)
  const [theirs, setTheirs] = useState<Campaign | undefined>(undefined)
  const leaving = useRef(false)
  const list = useQuery(templatesQuery(client)).data?.value.items
  const templateById = useMemo(() => new Map((list ?? []).map(one => [one.id, one])), [list])
  const changed = isChanged(draft, base.saved, templateById)
  const faults = faultsOf(draft)

  const adopt = (next: Campaign): void => {
    const saved = draftOf(next)
    setBase({ saved, version: next.version })
    setDraft(saved)
    setTheirs(undefined)
  }
  // Nothing typed here is lost: the newer version of somebody else, or of another tab, is simply shown.
  if (campaign !== undefined && campaign.version > base.version && !changed && !busy) adopt(campaign)

  const save = async (version = base.version): Promise<readonly Fault[]> => {
    setIsTried(true)
    if (faults.length > 0 || busy) return faults
    setBusy(true)
    try {
      const { value } = await send(bodyOf(draft, templateById), version)
      setBase({ saved: draft, version: value.version })
      setTheirs(undefined)
      toast({ text: t('saved') })
      if (campaign === undefined) {
        leaving.current = true
        const to = { to: '/campaigns/$id/edit', params: { id: value.id }, replace: true, resetScroll: false } as const
        await navigate(to)
      }
      void refresh('campaigns', `campaign:${value.id}`)
    } catch (error) {
      setTheirs(await refused(error, base.version))
    } finally {
      setBusy(false)
    }
    return []
  }
  return {
    draft,
    change: changes => setDraft(before => ({ ...before, ...changes })),
    changed,
    busy,
    faults: isTried ? faults : faults.filter(fault => fault !== 'name'),
    save,
    theirs,
    adopt,
    templates: list ?? [],
    templateById,
    leaving,
  }
}
