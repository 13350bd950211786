import { Button, Icon, Menu, Pill, useToast, useWords } from '@palier/design'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { type Campaign, campaignQuery } from '../../data/campaigns.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type CampaignStatus, campaignStatusWords, campaignTones } from '../../data/statuses.ts'
import { useMay } from '../../session/session.ts'
import { ActionDialog } from './action-dialog.tsx'
import { ACTION_FACTS, actionWords, type ConductAction, copyOf, possibleActions } from './actions.ts'

export function CampaignPill({ status }: { readonly status: CampaignStatus }): ReactNode {
  const t = useWords(campaignStatusWords)
  return <Pill tone={campaignTones[status]}>{t(status)}</Pill>
}

/** Makes a draft of what the campaign is, and opens it. */
function useDuplicate(): (campaign: Campaign) => Promise<void> {
  const t = useWords(actionWords)
  const client = useClient()
  const queries = useQueryClient()
  const refresh = useRefresh()
  const toast = useToast()
  const say = useProblem()
  const navigate = useNavigate()
  return async campaign => {
    try {
      const body = copyOf(campaign, t('copyName', { name: campaign.name }))
      const answer = await client.ask('POST /campaigns', { body })
      const { id } = answer.value
      queries.setQueryData(campaignQuery(client, id).queryKey, answer)
      void refresh('campaigns')
      toast({ text: t('duplicated') })
      await navigate({ to: '/campaigns/$id/edit', params: { id } })
    } catch (error) {
      toast({ text: say(error).text, failed: true })
    }
  }
}

interface Props {
  readonly campaign: Campaign
  /** Where to go when it has been deleted; nowhere in a list. */
  readonly onDeleted?: () => void
}

/** All that can be done with a campaign, behind three dots. `besides`: what stands beside it as buttons already. */
export function ActionMenu({
  campaign,
  label,
  besides = [],
  isOpenLink = false,
  onDeleted,
}: Props & {
  readonly label: string
  readonly besides?: readonly ConductAction[]
  readonly isOpenLink?: boolean
}): ReactNode {
  const t = useWords(actionWords)
  const may = useMay()
  const duplicate = useDuplicate()
  const [asked, setAsked] = useState<ConductAction | undefined>(undefined)
  const { id } = campaign
  const close = (): void => setAsked(undefined)
  const mayWrite = may('campaigns:write')
  const item = (action: ConductAction): ReactNode => {
    const { icon, permission, danger } = ACTION_FACTS[action]
    const isAllowed = may(permission)
    return (
      <button
        key={action}
        type="button"
        className={danger && isAllowed ? 'danger' : undefined}
        disabled={!isAllowed}
        title={isAllowed ? undefined : t('forbidden')}
        onClick={() => setAsked(action)}
      >
        <Icon name={icon} />
        {t(action)}
      </button>
    )
  }
  const actions = possibleActions(campaign).filter(action => !besides.includes(action))
  return (
    <>
      <Menu label={label}>
        {isOpenLink && (
          <Link to="/campaigns/$id" params={{ id }}>
            <Icon name="arrowRight" />
            {t('open')}
          </Link>
        )}
        {campaign.actions.includes('edit') && mayWrite && (
          <Link to="/campaigns/$id/edit" params={{ id }}>
            <Icon name="edit" />
            {t('edit')}
          </Link>
        )}
        {actions.filter(action => ACTION_FACTS[action].danger === undefined).map(item)}
        <button
          type="button"
          disabled={!mayWrite}
          title={mayWrite ? undefined : t('forbidden')}
          onClick={() => void duplicate(campaign)}
        >
          <Icon name="copy" />
          {t('duplicate')}
        </button>
        {actions.filter(action => ACTION_FACTS[action].danger).map(item)}
      </Menu>
      {asked !== undefined && (
        <ActionDialog
          action={asked}
          campaign={campaign}
          onClose={close}
          onDone={() => {
            close()
            if (asked === 'delete') onDeleted?.()
          }}
        />
      )}
    </>
  )
}

/** One action as a button of its own. */
export function ActionButton({
  campaign,
  action,
  kind,
  size,
}: Props & { readonly action: ConductAction; readonly kind?: 'primary'; readonly size?: 'small' }): ReactNode {
  const t = useWords(actionWords)
  const may = useMay()
  const [isAsked, setIsAsked] = useState(false)
  const { icon, permission } = ACTION_FACTS[action]
  return (
    <>
      <Button
        kind={kind}
        size={size}
        icon={icon}
        unavailable={may(permission) ? false : t('forbidden')}
        onClick={() => setIsAsked(true)}
      >
        {t(action)}
      </Button>
      {isAsked && <ActionDialog action={action} campaign={campaign} onClose={() => setIsAsked(false)} />}
    </>
  )
}
