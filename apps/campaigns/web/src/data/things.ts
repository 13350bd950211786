import type { AnswerOf } from './client.ts'

export type Contact = AnswerOf<'GET /contacts'>['items'][number]
export type Category = AnswerOf<'GET /categories'>['items'][number]
