import Type from 'typebox'
import { CAMPAIGN_STATUSES, MESSAGE_STATUSES, MESSAGE2_KINDS } from '../database/schema.ts'
import { ParamsSchema } from '../templates/params.ts'

/** What travels between people and campaigns. */
export const Id: Type.TString = Type.String({ minLength: 1, maxLength: 36 })
const Instant = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 })
const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const maybe = <T extends Type.TSchema>(schema: T) => Type.Optional(orNull(schema))

const Name = Type.String({ minLength: 1, maxLength: 120, pattern: '\\S', expected: 'a name of 1 to 120 characters' })
const Body = Type.String({ minLength: 1, maxLength: 4096 })
const Button = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 256 }), title: Type.String({ minLength: 1, maxLength: 20 }) },
  { additionalProperties: false },
)
const Buttons = Type.Array(Button, { maxItems: 3 })
const Categories = Type.Array(Id, { maxItems: 200 })
const Hours = Type.Integer({ minimum: 1, maximum: 168 })
const Rate = Type.Integer({ minimum: 1, maximum: 60_000 })

const Fields = {
  account_id: maybe(Id),
  category_ids: Type.Optional(Categories),
  message1_template_id: maybe(Id),
  message1_params: maybe(ParamsSchema),
  message2_kind: Type.Optional(Type.Enum([...MESSAGE2_KINDS])),
  message2_body: maybe(Body),
  message2_buttons: maybe(Buttons),
  message2_template_id: maybe(Id),
  message2_params: maybe(ParamsSchema),
  fallback_template_id: maybe(Id),
  fallback_params: maybe(ParamsSchema),
  interaction_timeout_h: Type.Optional(Hours),
  accept_late: Type.Optional(Type.Boolean()),
  rate_per_minute: maybe(Rate),
}

export const NewCampaign = Type.Object({ name: Name, ...Fields }, { additionalProperties: false })
export const CampaignChange = Type.Object(
  { version: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }), name: Type.Optional(Name), ...Fields },
  { additionalProperties: false },
)

export const Schedule = Type.Object({ scheduled_at: Instant }, { additionalProperties: false })
/** Null: the request has no body. */
export const RetryBody = orNull(
  Type.Object({ error_class: maybe(Type.String({ minLength: 1, maxLength: 16 })) }, { additionalProperties: false }),
)

const Counter = Type.Integer()

export const CampaignSchema = Type.Object({
  id: Id,
  name: Type.String(),
  status: Type.Enum([...CAMPAIGN_STATUSES]),
  account_id: orNull(Id),
  categories: Type.Array(Type.Object({ id: Id, name: Type.String() })),
  message1_template_id: orNull(Id),
  message1_params: orNull(Type.Any()),
  message2_kind: Type.Enum([...MESSAGE2_KINDS]),
  message2_body: orNull(Type.String()),
  message2_buttons: orNull(Type.Array(Button)),
  message2_template_id: orNull(Id),
  message2_params: orNull(Type.Any()),
  fallback_template_id: orNull(Id),
  fallback_params: orNull(Type.Any()),
  interaction_timeout_h: Type.Integer(),
  accept_late: Type.Boolean(),
  rate_per_minute: orNull(Type.Integer()),
  scheduled_at: orNull(Type.Integer()),
  started_at: orNull(Type.Integer()),
  completed_at: orNull(Type.Integer()),
  planned_at: orNull(Type.Integer()),
  total: Counter,
  queued: Counter,
  sent: Counter,
  delivered: Counter,
  read: Counter,
  interacted: Counter,
  message2_sent: Counter,
  message2_failed: Counter,
  failed_count: Counter,
  no_interaction_count: Counter,
  skipped: Counter,
  late_count: Counter,
  open_count: Counter,
  reason: orNull(Type.String()),
  created_by: orNull(Id),
  version: Type.Integer(),
  actions: Type.Array(Type.String()),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
})

const page = <T extends Type.TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), next_cursor: orNull(Type.String()) })
const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
  cursor: Type.Optional(Type.String({ maxLength: 2000 })),
}

export const CampaignPage = page(CampaignSchema)
export const CampaignFilterSchema = Type.Object(
  { ...paging, status: Type.Optional(Type.Enum([...CAMPAIGN_STATUSES])) },
  { additionalProperties: false },
)

const Message = Type.Enum([...MESSAGE_STATUSES])

export const RecipientFilterSchema = Type.Object(
  { ...paging, status: Type.Optional(Message) },
  { additionalProperties: false },
)

export const RecipientPage = page(
  Type.Object({
    message_id: Id,
    contact: orNull(Type.Object({ id: Id, name: Type.String(), phone: orNull(Type.String()) })),
    status: Message,
    error_class: orNull(Type.String()),
    error_code: orNull(Type.Integer()),
    error_detail: orNull(Type.String()),
    attempts: Type.Integer(),
    sent_at: orNull(Type.Integer()),
    delivered_at: orNull(Type.Integer()),
    read_at: orNull(Type.Integer()),
    failed_at: orNull(Type.Integer()),
    interacted_at: orNull(Type.Integer()),
    late_interaction_at: orNull(Type.Integer()),
    message2_status: orNull(Message),
    message2_sent_at: orNull(Type.Integer()),
    message2_error_code: orNull(Type.Integer()),
  }),
)

const Share = Type.Number()

export const StatsSchema = Type.Object({
  id: Id,
  status: Type.Enum([...CAMPAIGN_STATUSES]),
  reason: orNull(Type.String()),
  planned: Type.Boolean(),
  total: Counter,
  queued: Counter,
  retrying: Counter,
  sending: Counter,
  awaiting: Counter,
  funnel: Type.Object({
    sent: Counter,
    delivered: Counter,
    read: Counter,
    interacted: Counter,
    message2_sent: Counter,
  }),
  rates: Type.Object({ delivery: Share, read: Share, interaction: Share, failure: Share }),
  message2: Type.Object({ queued: Counter, sent: Counter, failed: Counter }),
  failed: Counter,
  no_interaction: Counter,
  late: Counter,
  skipped: Type.Array(Type.Object({ reason: Type.String(), count: Counter })),
  failures: Type.Array(
    Type.Object({
      step: Type.Integer(),
      error_class: orNull(Type.String()),
      error_code: orNull(Type.Integer()),
      meaning: Type.String(),
      count: Counter,
    }),
  ),
  cost: Type.Object({
    amounts: Type.Array(Type.Object({ currency: Type.String(), micros: Type.Integer() })),
    billable: Counter,
    free: Counter,
    unpriced: Counter,
    example_rates: Type.Boolean(),
  }),
})

export const PreviewSchema = Type.Object({
  audience: Type.Object({
    total: Counter,
    opted_out: Counter,
    no_opt_in: Counter,
    no_identifier: Counter,
    reachable: Counter,
  }),
  /** What keeps it from being started. */
  missing: Type.Array(Type.Object({ field: Type.String(), expected: Type.String(), received: Type.String() })),
  samples: Type.Array(
    Type.Object({
      contact: Type.Object({ id: Id, name: Type.String() }),
      message1: orNull(Type.String()),
      message2: orNull(Type.String()),
    }),
  ),
})
