import { describe, expect, test } from 'vitest'
import { COMMANDS, parseArguments, UsageError } from '../../src/cli/arguments.ts'
import { helpText } from '../../src/cli/help.ts'

const parse = (...argv: string[]) => parseArguments(argv)

describe('the command line', () => {
  test('reads a command with its options, in any order', () => {
    expect(parse('--json', 'clear', '--namespace', 'shop', '--tag=org:7', '--yes')).toMatchObject({
      command: 'clear',
      json: true,
      yes: true,
      namespace: 'shop',
      tag: 'org:7',
    })
  })

  test('reads sizes and counts', () => {
    expect(parse('gc', '--max-bytes', '1.5g', '--max-files', '900')).toMatchObject({
      maxBytes: 1.5 * 2 ** 30,
      maxFiles: 900,
    })
    expect(parse('gc', '--max-bytes', '512MiB').maxBytes).toBe(512 * 2 ** 20)
  })

  test.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['doctor', 'twice'], "unexpected argument 'twice'"],
    [['doctor', '--frobnicate'], "unknown option '--frobnicate'"],
    [['stats', '-x'], "unknown option '-x'"],
    [['doctor', '--yes'], "option '--yes' does not belong to doctor"],
    [['--tag', 'a'], "option '--tag' does not belong to palier alone"],
    [['stats', '--dir'], "option '--dir' needs a value"],
    [['stats', '--dir='], "option '--dir' needs a value"],
    [['stats', '--dir', '--json'], "option '--dir' needs a value"],
    [['stats', '--json=yes'], "option '--json' takes no value"],
    [['clear', '--tag', 'a', '--tag', 'b'], "option '--tag' is given twice"],
    [['clear', '--tag', 'a', '--type', 'b'], '--type and --tag exclude each other'],
    [['gc', '--max-bytes', 'lots'], '--max-bytes: expected a size'],
    [['gc', '--max-files', '0'], '--max-files: expected a whole number'],
    [['stats', '--toString'], "unknown option '--toString'"],
  ])('%j is refused by name', (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(UsageError)
    expect(() => parseArguments(argv)).toThrow(message)
  })

  test('every command has a help text of at most 80 columns that names each of its options', () => {
    for (const command of [undefined, ...COMMANDS]) {
      const text = helpText(command)
      for (const option of ['--namespace', '--backend', '--dir', '--redis-url', '--json'])
        expect(text).toContain(option)
      expect(text.split('\n').filter(line => line.length > 80)).toEqual([])
    }
    for (const option of ['--type', '--tag', '--pattern', '--yes']) expect(helpText('clear')).toContain(option)
  })
})
