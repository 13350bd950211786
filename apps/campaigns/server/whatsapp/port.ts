import type { ErrorClass } from './errors.ts'

/** One number of a WhatsApp Business account, and how to reach the Cloud API for it. */
export interface WhatsAppAccount {
  readonly phoneNumberId: string
  readonly wabaId: string
  /** A secret: in no log, no error and no answer. */
  readonly token: string
  /** As in the address: `v23.0`. */
  readonly graphVersion: string
  /** `https://graph.facebook.com`, or the simulator's. */
  readonly baseUrl: string
}

/** A phone number in E.164, or the business-scoped id of a user who hides it. */
export type Recipient = { readonly phone: string } | { readonly userId: string }

export interface ReplyButton {
  readonly id: string
  readonly title: string
}

export type OutgoingContent =
  | {
      readonly type: 'template'
      readonly name: string
      readonly language: string
      /** As the Cloud API takes them. */
      readonly components: readonly unknown[]
    }
  | { readonly type: 'text'; readonly body: string }
  | { readonly type: 'interactive'; readonly body: string; readonly buttons: readonly ReplyButton[] }

export interface Outgoing {
  /** Travels as `biz_opaque_callback_data` and comes back in each status, so a lost answer can be repaired. */
  readonly messageId: string
  readonly to: Recipient
  readonly content: OutgoingContent
}

/**
 * What became of one request. The difference that matters is between `refused`, which may be tried again, and `unknown`,
 * which may not: only a status with our own message id can then tell whether the message left.
 */
export type Sent =
  | { readonly outcome: 'accepted'; readonly wamid: string; readonly waId?: string; readonly userId?: string }
  | {
      /** It was certainly not sent. */
      readonly outcome: 'refused'
      /** Of the Cloud API; an HTTP status where no code came. */
      readonly code: number
      readonly errorClass: ErrorClass
      readonly detail: string
      /** Milliseconds that the other side asked for. */
      readonly retryAfter?: number
    }
  /** No readable answer came: it may have been sent. */
  | { readonly outcome: 'unknown'; readonly detail: string }

export interface RemoteTemplate {
  readonly name: string
  readonly language: string
  readonly category: string
  readonly status: string
  /** GREEN, YELLOW, RED or UNKNOWN. */
  readonly quality: string
  /** As the Cloud API gives them. */
  readonly components: readonly unknown[]
}

/** The Cloud API as the application sees it. Holds nothing to close; safe to call concurrently. */
export interface WhatsApp {
  /** Never rejects: each way to fail is a `Sent`. Sends at most once, and never tries again by itself. */
  send(account: WhatsAppAccount, message: Outgoing, signal?: AbortSignal): Promise<Sent>
  /** Every template of the account, all pages. Rejects with a `CloudApiRefusal`. */
  templates(account: WhatsAppAccount, signal?: AbortSignal): Promise<readonly RemoteTemplate[]>
}
