import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { badFields } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import { type Rate, type Rates, readRates, replaceRates } from './prices.ts'

const MOST_RATES = 5000

const RateSchema = Type.Object(
  {
    category: Type.String({ pattern: '^[a-z_]{1,32}$', expected: 'a category such as marketing, utility or service' }),
    country: Type.String({
      pattern: '^([A-Z]{2}|\\*)$',
      expected: 'two capital letters such as FR, or * for all others',
    }),
    currency: Type.String({ pattern: '^[A-Z]{3}$', expected: 'three capital letters such as EUR' }),
    micros: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
    free_per_month: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
    effective_from: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }),
  },
  { additionalProperties: false },
)

const RatesSchema = Type.Object({
  rates: Type.Array(RateSchema),
  examples: Type.Boolean(),
  source: Type.Union([Type.String(), Type.Null()]),
})
const RatesBody = Type.Object(
  { rates: Type.Array(RateSchema, { maxItems: MOST_RATES }) },
  { additionalProperties: false },
)

const tags = ['whatsapp']
const answer = ({ rates, examples, source }: Rates) => ({ rates: [...rates], examples, source })

function refuseDoubles(rates: readonly Rate[]): void {
  const seen = new Set<string>()
  for (const [index, { category, country, effective_from }] of rates.entries()) {
    const key = JSON.stringify([category, country, effective_from])
    if (seen.has(key)) {
      const expected = 'one rate for a category, a country and a day'
      throw badFields([{ field: `body.rates.${index}`, expected, received: received(key) }])
    }
    seen.add(key)
  }
}

/** Under `/api/v1/whatsapp/rates`. */
export const rateRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  app.get(
    '/',
    {
      config: { access: 'accounts:read' },
      schema: { tags, summary: 'What a message costs', response: { 200: RatesSchema } },
    },
    async () => answer(await readRates(services.database.reader)),
  )
  app.put(
    '/',
    {
      config: { access: 'accounts:write' },
      schema: {
        tags,
        summary: 'Replace all rates; none brings the examples back',
        body: RatesBody,
        response: { 200: RatesSchema },
      },
    },
    async ({ body: { rates }, actor }) => {
      refuseDoubles(rates)
      return answer(await write(services, work => replaceRates(services, work, rates), { actor }))
    },
  )
}
