const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** A password of 20 characters that are not mistaken for one another, by the browser's own random numbers. */
export function makePassword(): string {
  const { length } = LETTERS
  // Above the largest multiple of the alphabet, some letters would come more often.
  const most = 256 - (256 % length)
  let password = ''
  while (password.length < 20) {
    for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
      if (byte < most && password.length < 20) password += LETTERS[byte % length] ?? ''
    }
  }
  return password.replaceAll(/(.{5})(?=.)/g, '$1-')
}
