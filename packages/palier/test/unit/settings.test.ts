import { describe, expect, test } from 'vitest'
import { readSettings, shownSettings } from '../../src/environment.ts'

describe('settings', () => {
  test('come from options, then the environment, then defaults, and say so', () => {
    const settings = readSettings({ dir: '/a' }, { CACHE_DIR: '/b', CACHE_BACKEND: 'Filesystem', REDIS_PORT: '6380' })
    expect(settings.dir).toEqual({ value: '/a', source: 'option' })
    expect(settings.backend).toEqual({ value: 'filesystem', source: 'environment' })
    expect(settings.redisPort).toEqual({ value: 6380, source: 'environment' })
    expect(settings.redisHost).toEqual({ value: 'localhost', source: 'default' })
    expect(settings.enabled).toEqual({ value: true, source: 'default' })
  })

  test('an empty variable counts as not set', () => {
    expect(readSettings({}, { CACHE_DIR: '', REDIS_URL: '' }).dir.source).toBe('default')
  })

  test.each([
    ['CACHE_ENABLED', 'maybe', /CACHE_ENABLED: expected true or false, received "maybe"/],
    ['CACHE_BACKEND', 'disk', /CACHE_BACKEND: expected auto, redis, filesystem, memory, received "disk"/],
    ['REDIS_PORT', '70000', /REDIS_PORT: expected a number from 0 to 65535, received 70000/],
    ['REDIS_DB', 'one', /REDIS_DB: expected a number/],
  ])('%s=%s is refused by name', (name, value, message) => {
    expect(() => readSettings({}, { [name]: value })).toThrow(message)
  })

  test.each(['false', '0', 'NO', 'off'])('CACHE_ENABLED=%s switches off', value => {
    expect(readSettings({}, { CACHE_ENABLED: value }).enabled.value).toBe(false)
  })

  test('passwords are never shown', () => {
    const settings = readSettings({}, { REDIS_URL: 'redis://user:s3cret@host:1/0', REDIS_PASSWORD: 's3cret' })
    const shown = JSON.stringify(shownSettings(settings))
    expect(shown).not.toContain('s3cret')
    expect(shown).toContain('redis://user:***@host:1/0')
    const odd = readSettings({}, { REDIS_URL: 'redis://:p@s3cret@host' })
    expect(JSON.stringify(shownSettings(odd))).not.toContain('s3cret')
    const wrong = readSettings({}, { REDIS_URL: 's3cret' })
    expect(JSON.stringify(shownSettings(wrong))).not.toContain('s3cret')
  })
})
