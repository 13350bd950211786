import type { Tables } from '../database/schema.ts'
import { type Existing, makeAccount } from './account.ts'
import { audienceRows, campaignRows, makeCampaigns } from './campaigns.ts'
import type { DataSet } from './data-set.ts'
import { messageRows } from './messages.ts'
import { makePages } from './pages.ts'
import { contactRows, makeCategories, makePeople, membershipRows } from './people.ts'
import { makeHistory, makeJobs } from './records.ts'

/** All rows of one table, each with all its columns in the same order. */
export interface Section {
  readonly table: keyof Tables
  readonly rows: Iterable<object>
}

const rowsOf = <T extends keyof Tables>(table: T, rows: Iterable<Tables[T]>): Section => ({
  table,
  rows: rows as Iterable<object>,
})

/**
 * The whole data set, table by table, parents before children. Contacts and campaigns stand before their messages and
 * yet show what these did to them: so the messages are made twice, the first time only to be counted.
 */
export function sectionsOf(set: DataSet, existing: Existing): Section[] {
  const account = makeAccount(set, existing)
  const categories = makeCategories(set)
  const people = makePeople(set)
  const plans = makeCampaigns(set, account, categories)
  for (const _ of messageRows(set, { people, plans, account, counting: true }));
  const { content, revisions } = makePages(set)
  return [
    rowsOf('wa_accounts', account.row === undefined ? [] : [account.row]),
    rowsOf('templates', account.newTemplates),
    rowsOf('message_rates', account.rates),
    rowsOf('categories', categories),
    rowsOf('contacts', contactRows(set, people)),
    rowsOf('contact_categories', membershipRows(set, people, categories)),
    rowsOf('campaigns', campaignRows(plans, account)),
    rowsOf('campaign_categories', audienceRows(plans)),
    rowsOf('messages', messageRows(set, { people, plans, account, counting: false })),
    rowsOf('content', content),
    rowsOf('content_revisions', revisions),
    rowsOf('admin_history', makeHistory(set, { categories, plans, content })),
    rowsOf('jobs', makeJobs(set, account.templates.length)),
  ]
}
