/** The rows of the database, as the newest migration leaves them. Times are milliseconds since 1970; flags are 0 or 1; `…json` in a comment is JSON text. */
export interface Tables {
  contacts: ContactTable
  categories: CategoryTable
  contact_categories: ContactCategoryTable
  campaigns: CampaignTable
  campaign_categories: CampaignCategoryTable
  messages: MessageTable
  settings: SettingTable
  users: UserTable
  password_resets: PasswordResetTable
  api_keys: ApiKeyTable
  admin_history: HistoryTable
  emails: EmailTable
  jobs: JobTable
  import_errors: ImportErrorTable
  cache_outbox: CacheOutboxTable
  cache_events: CacheEventTable
  wa_accounts: AccountTable
  templates: TemplateTable
  message_rates: RateTable
  webhook_inbox: InboxTable
  media: MediaTable
  content: ContentTable
  content_revisions: RevisionTable
}

export interface ContactTable {
  id: string
  name: string
  /** The name as it is searched and sorted: without case and accents. */
  name_key: string
  phone_e164: string | null
  email: string | null
  /** The phone as WhatsApp spells it, digits only; may differ from `phone_e164`. */
  wa_id: string | null
  /** Business-scoped user id: the only identifier of people who hide their number. */
  bsuid: string | null
  parent_bsuid: string | null
  username: string | null
  /** json: an object of texts. Null when there are none. */
  attributes: string | null
  /** Name, address and digits of the phone, folded: what full-text search looks through. */
  search_text: string
  opt_in_at: number | null
  opt_out_at: number | null
  last_inbound_at: number | null
  /** Until then free-form messages may be sent: 24 hours after the last message from the contact. */
  window_expires_at: number | null
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

export const MESSAGE2_KINDS = ['none', 'text', 'interactive', 'template'] as const
export type Message2Kind = (typeof MESSAGE2_KINDS)[number]

/** The counters are sums over the campaign's messages; `messages/counters.ts` says of which. */
export interface CampaignTable {
  id: string
  name: string
  status: CampaignStatus
  account_id: string | null
  message1_template_id: string | null
  /** json: for each placeholder of the template, a text or `{ "field": … }` of the contact. */
  message1_params: string | null
  message2_kind: Message2Kind
  message2_body: string | null
  /** json: up to three `{ "id", "title" }`. */
  message2_buttons: string | null
  message2_template_id: string | null
  message2_params: string | null
  /** Sent in place of a free-form Message 2 when the service window is closing. */
  fallback_template_id: string | null
  fallback_params: string | null
  interaction_timeout_h: number
  accept_late: number
  rate_per_minute: number | null
  scheduled_at: number | null
  started_at: number | null
  completed_at: number | null
  /** When the audience was frozen; null while it is being planned. */
  planned_at: number | null
  /** The last contact that planning has looked at. */
  plan_cursor: string | null
  total: number
  queued: number
  sent: number
  delivered: number
  read: number
  interacted: number
  message2_sent: number
  message2_failed: number
  /** failed and no_interaction together. */
  failed_count: number
  no_interaction_count: number
  skipped: number
  late_count: number
  /** Recipients that are not in a final state. */
  open_count: number
  /** Why it failed or was paused. */
  reason: string | null
  created_by: string | null
  /** Raised by each change of its text or plan: an editor that saves an old one is refused. */
  version: number
  created_at: number
  updated_at: number
}

export interface CampaignCategoryTable {
  campaign_id: string
  category_id: string
  category_name: string
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
  /** 1: the template that opens. 2: what follows an interaction. Null outside campaigns. */
  step: number | null
  account_id: string | null
  wamid: string | null
  type: string
  status: MessageStatus
  status_rank: number
  /** json: what is sent, frozen when the message was made. */
  params: string | null
  body: string | null
  context_wamid: string | null
  error_code: number | null
  error_class: string | null
  error_detail: string | null
  attempts: number
  /** While queued, when it is due; while sending, when its sender is taken for dead. */
  next_attempt_at: number | null
  queued_at: number | null
  accepted_at: number | null
  sent_at: number | null
  delivered_at: number | null
  read_at: number | null
  failed_at: number | null
  interacted_at: number | null
  late_interaction_at: number | null
  pricing_category: string | null
  pricing_type: string | null
  billable: number | null
  created_by: string | null
  created_at: number
}

export interface SettingTable {
  key: string
  /** json, but for `database_id` and `cursor_secret`, which are plain. */
  value: string
  updated_by: string | null
  updated_at: number
}

export const ROLES = ['admin', 'manager', 'agent'] as const
export type Role = (typeof ROLES)[number]

export interface UserTable {
  id: string
  /** Lower case. */
  email: string
  name: string
  password_hash: string
  role: Role
  status: 'active' | 'disabled'
  locale: string
  /** Sessions carry the number they were made with; raising it ends them all. */
  session_epoch: number
  last_login_at: number | null
  created_at: number
  updated_at: number
}

export interface PasswordResetTable {
  token_hash: string
  user_id: string
  expires_at: number
  used_at: number | null
  created_at: number
}

export interface ApiKeyTable {
  id: string
  user_id: string
  name: string
  /** What people recognise a key by; the key itself is only known to who made it. */
  prefix: string
  hash: string
  /** json: a list of permissions. */
  scopes: string
  expires_at: number | null
  last_used_at: number | null
  revoked_at: number | null
  created_at: number
}

export interface HistoryTable {
  id: string
  admin_id: string | null
  actor: string
  action: string
  entity: string
  entity_id: string | null
  /** json: the fields that changed, as they were. */
  before: string | null
  after: string | null
  ip: string | null
  request_id: string | null
  timestamp: number
}

export interface EmailTable {
  id: string
  recipient: string
  subject: string
  body: string
  status: 'queued' | 'sent' | 'failed'
  attempts: number
  next_attempt_at: number
  error: string | null
  created_at: number
  sent_at: number | null
}

export const JOB_STATUSES = ['queued', 'running', 'done', 'failed', 'cancelled'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]

export interface JobTable {
  id: string
  queue: string
  name: string
  /** json */
  payload: string
  run_at: number
  /** The higher the sooner. */
  priority: number
  attempts: number
  max_attempts: number
  locked_by: string | null
  locked_until: number | null
  dedupe_key: string | null
  status: JobStatus
  /** json */
  progress: string | null
  /** json */
  result: string | null
  last_error: string | null
  created_by: string | null
  created_at: number
  started_at: number | null
  finished_at: number | null
}

export interface ImportErrorTable {
  job_id: string
  line: number
  field: string
  expected: string
  received: string
}

/** Tags that a committed write touched and that the cache may not have heard of yet. */
export interface CacheOutboxTable {
  id: string
  /** json: a list of tags. */
  tags: string
  created_at: number
}

export interface CacheEventTable {
  id: string
  kind: string
  detail: string
  at: number
}

export interface AccountTable {
  id: string
  name: string
  provider: 'cloud' | 'simulator'
  phone_number_id: string
  waba_id: string
  display_phone: string
  token_enc: string
  app_secret_enc: string
  verify_token_hash: string
  graph_version: string
  base_url: string
  /** Messages a second, in and out, that the number may carry. */
  mps_limit: number
  status: 'active' | 'stopped'
  reason: string | null
  created_at: number
  updated_at: number
}

export interface TemplateTable {
  id: string
  account_id: string
  name: string
  language: string
  category: string
  status: string
  quality: string | null
  /** json, as WhatsApp gives them. */
  components: string
  synced_at: number
}

export interface RateTable {
  id: string
  category: string
  /** Two letters, or * for every country without a rate of its own. */
  country: string
  currency: string
  /** Millionths of the currency for one message. */
  micros: number
  free_per_month: number
  effective_from: number
}

export const INBOX_KINDS = ['status', 'message', 'template', 'other'] as const

export interface InboxTable {
  id: string
  account_id: string
  kind: (typeof INBOX_KINDS)[number]
  dedupe_key: string
  /** json: one event of a webhook. */
  payload: string
  received_at: number
  processed_at: number | null
  attempts: number
  next_attempt_at: number
  error: string | null
}

export interface MediaTable {
  id: string
  path: string
  name: string
  alt: string
  mime: string
  width: number | null
  height: number | null
  /** json: `{ "path", "width", "height", "size" }` of each. */
  variants: string
  size: number
  sha256: string
  uploaded_by: string | null
  created_at: number
}

export interface ContentTable {
  id: string
  slug: string
  title: string
  body: string
  status: 'draft' | 'published'
  author_id: string | null
  cover_media_id: string | null
  version: number
  published_version: number | null
  published_at: number | null
  search_text: string
  created_at: number
  updated_at: number
}

export interface RevisionTable {
  content_id: string
  version: number
  title: string
  body: string
  cover_media_id: string | null
  author_id: string | null
  created_at: number
}
