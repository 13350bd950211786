import { describe, expect, test } from 'vitest'
import { startApp } from './support/app.ts'

describe('the page', () => {
  test('comes with everything it names, under a policy that allows nothing else', async () => {
    const { get } = await startApp()
    const page = await get('/')
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(page.body).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style="|https?:\/\//)
    const named = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(match => match[1] ?? '')
    expect(named.length).toBeGreaterThan(3)
    const answers = await Promise.all(named.map(async url => [url, (await get(url)).statusCode]))
    expect(answers).toEqual(named.map(url => [url, 200]))
  })

  test('is not sent again to whoever has it', async () => {
    const { send, get } = await startApp()
    const { etag } = (await get('/page.js')).headers
    const again = await send({ url: '/page.js', headers: { 'if-none-match': String(etag) } })
    expect(again.statusCode).toBe(304)
    expect(again.body).toBe('')
  })

  test('says everything in both languages', async () => {
    const { get } = await startApp()
    const source = (await get('/words.js')).body
    const url = `data:text/javascript,${encodeURIComponent(`${source}\nexport { WORDS }`)}`
    const { WORDS } = (await import(/* @vite-ignore */ url)) as { WORDS: Record<'en' | 'fr', object> }
    const keys = (words: object): string[] =>
      Object.entries(words).flatMap(([key, value]) => (typeof value === 'object' ? [key, ...keys(value)] : [key]))
    expect(keys(WORDS.fr)).toEqual(keys(WORDS.en))
    const html = (await get('/')).body
    for (const [, word] of html.matchAll(/data-(?:word|label)="(\w+)"/g)) expect(WORDS.en).toHaveProperty(word ?? '')
  })
})
