import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import { createTransport } from 'nodemailer'
import type { Settings } from '../settings/settings.ts'

/** One mail, in plain text. */
export interface Letter {
  readonly to: string
  readonly subject: string
  readonly body: string
}

/** Hands mail over to the next server, or lays it down as files where there is none. */
export interface Mailer {
  /** Where people reach the application: what links in mail begin with. Never taken from a request. */
  readonly siteUrl: string
  readonly via: 'smtp' | 'files'
  /** Resolves when the server, or the disk, has taken the mail. Rejects with what that said. Not stored, not tried again. */
  deliver(id: string, letter: Letter): Promise<void>
}

export interface MailerOptions {
  /** As SMTP_URL: `smtp://` or `smtps://`, with user and password. */
  readonly smtpUrl?: string | undefined
  readonly siteUrl: string
  readonly dataDir: string
  readonly settings: Settings
  readonly log: FastifyBaseLogger
  /** For each step with the server, in milliseconds; 10 s unless said. */
  readonly patience?: number
}

const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu
const LONGEST_SUBJECT = 200

/** One line: what comes from outside must not become another header. */
export function oneLine(text: string): string {
  return Array.from(text.replaceAll(BREAKS, ' ').trim()).slice(0, LONGEST_SUBJECT).join('')
}

/** Also of a host without a dot, such as localhost. */
const ADDRESS = /^[^\s@\p{Cc},;:<>()[\]\\"]+@[^\s@\p{Cc},;:<>()[\]\\"]+$/u

/** One address and nothing else: no list, no name, no second line. Throws where it cannot be one. */
function onlyAddress(what: string, text: string): string {
  if (!ADDRESS.test(text)) throw new Error(`${what} is no mail address`)
  return text
}

/** Without a server mail is written to `<dataDir>/outbox`, readable by the owner alone: it may hold links that open doors. */
export function createMailer({ smtpUrl, siteUrl, dataDir, settings, log, patience = 10_000 }: MailerOptions): Mailer {
  const timeouts = {
    connectionTimeout: patience,
    greetingTimeout: patience,
    socketTimeout: patience,
    dnsTimeout: patience,
  }
  const never = { disableFileAccess: true, disableUrlAccess: true }
  const files = createTransport({ streamTransport: true, buffer: true, newline: 'windows', ...never })
  const server = smtpUrl === undefined ? undefined : createTransport({ url: smtpUrl, ...timeouts, ...never })
  const directory = join(dataDir, 'outbox')
  let isTold = false

  const compose = async (id: string, { to, subject, body }: Letter): Promise<object> => {
    const { company_name: name, mail_from: from } = await settings.read()
    const sender = onlyAddress('the setting mail_from', from)
    return {
      from: { name: oneLine(name), address: sender },
      to: { name: '', address: onlyAddress('the recipient', to) },
      subject: oneLine(subject),
      text: body,
      // The same each time it is tried: who gets it twice can tell.
      messageId: `<${id}@${sender.split('@')[1]}>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    }
  }

  const lay = async (id: string, message: object): Promise<void> => {
    if (!isTold) log.warn(`SMTP_URL is not set: mail is written to ${directory} and sent nowhere`)
    isTold = true
    const { message: bytes } = await files.sendMail(message)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const draft = join(directory, `.${id}.draft`)
    await writeFile(draft, bytes as Buffer, { mode: 0o600 })
    await rename(draft, join(directory, `${id}.eml`))
  }

  return {
    siteUrl: siteUrl.replace(/\/+$/, ''),
    via: server === undefined ? 'files' : 'smtp',
    async deliver(id, letter) {
      const message = await compose(id, letter)
      if (server === undefined) await lay(id, message)
      else await server.sendMail(message)
    },
  }
}
