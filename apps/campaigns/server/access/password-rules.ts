import { badFields, type Problem } from '../problem.ts'

/** What guessers try first among the passwords that are long enough, in lower case and without what is not a letter or digit. */
const COMMON = new Set([
  ...['password1234', 'password12345', 'password123456', 'passwordpassword', 'mypassword123', 'newpassword123'],
  ...[
    '123456789012',
    '1234567890123',
    '12345678901234',
    '123456789123',
    '123123123123',
    '987654321012',
    '012345678910',
  ],
  ...[
    'qwertyuiop12',
    'qwertyuiop123',
    'qwerty123456',
    'qwertyuiopasdf',
    'qwertyqwerty',
    'asdfghjklqwe',
    '1q2w3e4r5t6y',
  ],
  ...['1qaz2wsx3edc', 'zaq12wsxcde3', 'azertyuiop12', 'azertyuiop123', 'azerty123456', 'azertyazerty', 'aqwzsxedcrfv'],
  ...['administrator', 'administrator1', 'adminadmin12', 'adminadminadmin', 'admin1234567', 'administrateur'],
  ...[
    'letmeinletmein',
    'letmein12345',
    'welcome12345',
    'welcomewelcome',
    'changeme1234',
    'changemechangeme',
    'iloveyou1234',
  ],
  ...['iloveyouiloveyou', 'motdepasse12', 'motdepasse123', 'motdepassemotdepasse', 'jetaimejetaime', 'bonjourbonjour'],
  ...[
    'abcdefghijkl',
    'abcdefghijklm',
    'abc123abc123',
    'abcd1234abcd',
    'abcdabcdabcd',
    'whatsappwhatsapp',
    'correcthorsebatterystaple',
  ],
])

/** Fewer different characters than this are a key held down, or a short thing said again. */
const LEAST_DIFFERENT = 5

const EXPECTED = 'a password of 12 to 200 characters'
/** A password never comes back in an answer, not even a refused one. */
const HIDDEN = 'one that is not shown'

export interface Owner {
  readonly email: string
  readonly name: string
}

const bare = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')

function faultOf(password: string, { email, name }: Owner): string | undefined {
  const { length } = Array.from(password.normalize('NFKC'))
  if (length < 12 || length > 200) return EXPECTED
  const word = bare(password)
  if (COMMON.has(word)) return `${EXPECTED} that is not among the most common ones`
  if (new Set(password).size < LEAST_DIFFERENT) return `${EXPECTED} with at least ${LEAST_DIFFERENT} different ones`
  const own = [email, email.split('@', 1)[0] ?? '', name].map(bare).filter(part => part.length >= 4)
  // Their name with a year behind it is their name; a long sentence may hold it.
  const isOwn = own.some(part => word.includes(part) && word.length - part.length < 6)
  return isOwn ? `${EXPECTED} that is not the person's own name or address` : undefined
}

/** The problem of a password that would be guessed; undefined when it will do. */
export function passwordProblem(field: string, password: string, owner: Owner): Problem | undefined {
  const expected = faultOf(password, owner)
  return expected === undefined ? undefined : badFields([{ field, expected, received: HIDDEN }])
}
