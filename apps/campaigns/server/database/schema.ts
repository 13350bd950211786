/** The tables as Kysely sees them. Ids are UUIDv7 texts, times whole milliseconds since 1970, in UTC. */
export interface Tables {
  contacts: ContactTable
  categories: CategoryTable
  contact_categories: ContactCategoryTable
  campaigns: CampaignTable
  messages: MessageTable
  settings: SettingTable
}

export interface ContactTable {
  id: string
  name: string
  /** The name as it is searched and sorted: without case and accents. */
  name_key: string
  phone_e164: string | null
  email: string | null
  created_at: number
  updated_at: number
}

export interface CategoryTable {
  id: string
  name: string
  color: string
  description: string
  created_at: number
  updated_at: number
}

export interface ContactCategoryTable {
  category_id: string
  contact_id: string
  created_at: number
}

export const CAMPAIGN_STATUSES = [
  'draft',
  'scheduled',
  'running',
  'paused',
  'completed',
  'cancelled',
  'failed',
] as const
export type CampaignStatus = (typeof CAMPAIGN_STATUSES)[number]

/** `failed_count` counts failed and no_interaction together; `no_interaction_count` the latter alone. */
export interface CampaignTable {
  id: string
  name: string
  status: CampaignStatus
  interaction_timeout_h: number
  scheduled_at: number | null
  started_at: number | null
  completed_at: number | null
  total: number
  queued: number
  sent: number
  delivered: number
  read: number
  interacted: number
  message2_sent: number
  failed_count: number
  no_interaction_count: number
  skipped: number
  created_at: number
  updated_at: number
}

export const MESSAGE_STATUSES = [
  'queued',
  'sending',
  'accepted',
  'sent',
  'delivered',
  'read',
  'failed',
  'skipped',
  'no_interaction',
  'received',
] as const
export type MessageStatus = (typeof MESSAGE_STATUSES)[number]

export interface MessageTable {
  id: string
  direction: 'in' | 'out'
  campaign_id: string | null
  contact_id: string | null
  step: number | null
  wamid: string | null
  type: string
  status: MessageStatus
  status_rank: number
  body: string | null
  context_wamid: string | null
  error_code: number | null
  error_detail: string | null
  attempts: number
  next_attempt_at: number | null
  queued_at: number | null
  sent_at: number | null
  delivered_at: number | null
  read_at: number | null
  failed_at: number | null
  interacted_at: number | null
  created_at: number
}

export interface SettingTable {
  key: string
  value: string
  updated_at: number
}
