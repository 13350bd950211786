/** Errors as Meta words them: one code, and two shapes of it, in an HTTP answer and in a status of a webhook. */
interface Known {
  readonly title: string
  readonly status: number
}

const KNOWN: Readonly<Record<number, Known>> = {
  1: { title: 'An unknown error occurred', status: 500 },
  2: { title: 'Service temporarily unavailable', status: 503 },
  4: { title: 'Application request limit reached', status: 429 },
  10: { title: 'Application does not have permission for this action', status: 403 },
  33: { title: 'Unsupported request', status: 400 },
  100: { title: 'Invalid parameter', status: 400 },
  190: { title: 'Invalid OAuth access token', status: 401 },
  368: { title: 'Temporarily blocked for policies violations', status: 403 },
  80007: { title: 'Rate limit issues', status: 429 },
  130429: { title: 'Rate limit hit', status: 429 },
  130472: { title: "User's number is part of an experiment", status: 400 },
  130497: { title: 'Business account is restricted from messaging users in this country', status: 403 },
  131000: { title: 'Something went wrong', status: 500 },
  131005: { title: 'Access denied', status: 403 },
  131008: { title: 'Required parameter is missing', status: 400 },
  131009: { title: 'Parameter value is not valid', status: 400 },
  131016: { title: 'Service unavailable', status: 503 },
  131021: { title: 'Recipient cannot be sender', status: 400 },
  131026: { title: 'Message undeliverable', status: 400 },
  131030: { title: 'Recipient phone number not in allowed list', status: 400 },
  131031: { title: 'Business account has been locked', status: 403 },
  131042: { title: 'Business eligibility payment issue', status: 400 },
  131047: { title: 'Re-engagement message', status: 400 },
  131048: { title: 'Spam rate limit hit', status: 429 },
  131049: { title: 'This message was not delivered to maintain healthy ecosystem engagement', status: 400 },
  131050: { title: 'User has stopped marketing messages', status: 400 },
  131051: { title: 'Unsupported message type', status: 400 },
  131056: { title: '(Business Account, Consumer Account) pair rate limit hit', status: 429 },
  131057: { title: 'Account in maintenance mode', status: 503 },
  132000: { title: 'Number of parameters does not match the expected number of params', status: 400 },
  132001: { title: 'Template name does not exist in the translation', status: 404 },
  132012: { title: 'Parameter format does not match format in the created template', status: 400 },
  132015: { title: 'Template is paused', status: 400 },
  132016: { title: 'Template is disabled', status: 400 },
}

const DETAILS: Readonly<Record<number, string>> = {
  130429: 'Cloud API message throughput has been reached.',
  131026: 'Message undeliverable.',
  131047:
    'Message failed to send because more than 24 hours have passed since the customer last replied to this number.',
  131049: 'In order to maintain a healthy ecosystem engagement, the message failed to be delivered.',
  131050: 'The user has stopped marketing messages from this business.',
}

const HREF = 'https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/'

export interface GraphFault {
  readonly code: number
  readonly details?: string
  /** HTTP, in place of the usual one of the code. */
  readonly status?: number
  /** Seconds, for the header of that name. */
  readonly retryAfter?: number
}

function titleOf(code: number): string {
  return KNOWN[code]?.title ?? 'Something went wrong'
}

function detailsOf({ code, details }: GraphFault): string {
  return details ?? DETAILS[code] ?? `${titleOf(code)}.`
}

export function statusOf({ code, status }: GraphFault): number {
  return status ?? KNOWN[code]?.status ?? 400
}

/** The body of an HTTP answer. */
export function errorBody(fault: GraphFault, traceId: string): object {
  const { code } = fault
  const messaging = code >= 130_000 && code < 140_000
  return {
    error: {
      message: `(#${code}) ${titleOf(code)}`,
      type: 'OAuthException',
      code,
      ...(messaging
        ? { error_data: { messaging_product: 'whatsapp', details: detailsOf(fault) } }
        : fault.details !== undefined && { error_data: { details: fault.details } }),
      fbtrace_id: traceId,
    },
  }
}

/** One of the `errors` of a status or of an unsupported message. */
export function webhookError(fault: GraphFault): object {
  const title = titleOf(fault.code)
  return { code: fault.code, title, message: title, error_data: { details: detailsOf(fault) }, href: HREF }
}
