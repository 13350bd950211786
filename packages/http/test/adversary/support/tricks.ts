import type { Wire } from './wire.ts'

/** Changes a request; `secret` is that of whoever sends it, and stands wherever a client can put a text. */
export interface Trick {
  readonly name: string
  apply(wire: Wire, secret: string): Wire
}

function withHeaders(wire: Wire, ...headers: (readonly [string, string])[]): Wire {
  return { ...wire, headers: [...(wire.headers ?? []), ...headers] }
}

function header(name: string, value: (secret: string) => string = secret => secret): Trick {
  return { name: `${name}: ${value('…')}`, apply: (wire, secret) => withHeaders(wire, [name, value(secret)]) }
}

/** Names that some server, framework or proxy is known to act on. */
const REFLECTED = [
  ...['X-Forwarded-Host', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Prefix'],
  ...['X-Forwarded-Server', 'X-Forwarded-Scheme', 'X-Forwarded-URI', 'X-Host', 'X-Original-Host', 'X-Original-URL'],
  ...['X-Rewrite-URL', 'X-Real-IP', 'True-Client-IP', 'CF-Connecting-IP', 'X-Cluster-Client-IP', 'X-Custom'],
  ...['Origin', 'Referer', 'User-Agent', 'X-Tenant', 'Accept', 'Accept-Language', 'Accept-Charset', 'Accept-Encoding'],
  ...['X-Requested-With', 'Via', 'Warning', 'From', 'Trailer', 'Keep-Alive', 'Proxy-Connection', 'X-Api-Key'],
  ...['X-Request-Id', 'Traceparent', 'Content-Type', 'Content-Encoding', 'Sec-Fetch-Site', 'Save-Data', 'RSC'],
  ...['X-Middleware-Prefetch', 'X-Now-Route-Matches', 'X-Apicache-Bypass', '__proto__', 'constructor', 'toString'],
  ...['Palier-Cache-Control', 'X-Cache', 'Cache-Status', 'Age', 'Set-Cookie', 'Date', 'Max-Forwards', 'X-Wap-Profile'],
]

/** Names that alone let a request pass by the cache, so that each has a case of its own. */
const TELLING = [
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'Proxy-Authorization',
  'Authorization',
  'Cookie',
]

const HEADERS: readonly Trick[] = [
  {
    name: 'every header that is acted on anywhere',
    apply: (wire, secret) => withHeaders(wire, ...REFLECTED.map(name => [name, secret] as const)),
  },
  ...TELLING.map(name => header(name)),
  header('Forwarded', secret => `for=${secret};host=${secret};proto=https`),
  header('X-Forwarded-Proto', () => 'https'),
  header('X-HTTP-Method-Override', () => 'POST'),
  header('TE', secret => `trailers, ${secret}`),
  header('Connection', secret => `close, ${secret}`),
  header('Connection', () => 'close, Cookie, Authorization, X-Tenant'),
  header('Cookie', secret => `sid=${secret}`),
  header('Cookie', secret => `theme=${secret}; login=${secret}`),
  header('Cookie', secret => `"sid"=${secret}; __proto__=${secret}; j:{"a":1}`),
  header('Authorization', secret => `Bearer ${secret}`),
  header('authorization', secret => `bEARER ${secret}`),
  header('Range', () => 'bytes=0-3'),
  header('If-None-Match', () => '*'),
  header('If-None-Match', secret => `"${secret}", W/"x"`),
  header('If-Modified-Since', () => 'Fri, 01 Jan 2100 00:00:00 GMT'),
  header('If-Match', secret => `"${secret}"`),
  header('If-Range', secret => `"${secret}"`),
  header('If-Unmodified-Since', () => 'Thu, 01 Jan 1970 00:00:00 GMT'),
  header('Cache-Control', () => 'no-cache'),
  header('Cache-Control', () => 'no-store'),
  header('Cache-Control', () => 'only-if-cached'),
  header('Cache-Control', secret => `max-age=0, ${secret}="a, no-store"`),
  header('Pragma', () => 'no-cache'),
  header('Expect', () => '100-continue'),
  header('Upgrade', secret => secret),
  header('Accept-Encoding', () => 'gzip;q=0, br;q=0, *;q=0'),
  header('Content-Length', () => '0'),
  header('X-Custom', secret => `a\r\n ${secret}`),
  header('X-Custom', secret => `\u00e9\u00ff\u0080${secret}`),
  header('X-Tenant', secret => `\u00e9\u00ff\u0080|=:%${secret}`),
  header('X-Tenant', secret => `a\t${secret}`),
  header('X-Custom', secret => secret.repeat(600)),
  header('X-Tenant', secret => secret.repeat(200)),
  {
    name: 'a varied header twice',
    apply: (wire, secret) => withHeaders(wire, ['User-Agent', 'plain'], ['User-Agent', secret]),
  },
  {
    name: 'a joined header twice',
    apply: (wire, secret) => withHeaders(wire, ['X-Tenant', 'plain'], ['x-tenant', secret]),
  },
  {
    name: 'a name in odd letters',
    apply: (wire, secret) => withHeaders(wire, ['x-FORWARDED-hOST', secret], ['cOOKIE', `theme=${secret}`]),
  },
  {
    name: 'underscores for hyphens',
    apply: (wire, secret) => withHeaders(wire, ['X_Forwarded_Host', secret], ['X_Tenant', secret]),
  },
]

const METHODS: readonly Trick[] = ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'get'].map(
  method => ({ name: `method ${method}`, apply: wire => ({ ...wire, method }) }),
)

const BODIES: readonly Trick[] = [
  { name: 'a GET with a body', apply: (wire, secret) => ({ ...wire, body: `a=${secret}&_method=DELETE` }) },
  {
    name: 'a GET with a chunked body',
    apply: wire => ({ ...withHeaders(wire, ['Transfer-Encoding', 'chunked']), tail: '1\r\nx\r\n0\r\n\r\n' }),
  },
  { name: 'HTTP/1.0', apply: wire => ({ ...wire, version: '1.0' }) },
  { name: 'HTTP/1.0 without a host', apply: wire => ({ ...wire, version: '1.0', host: false }) },
]

function target(name: string, change: (target: string, secret: string) => string): Trick {
  return { name, apply: (wire, secret) => ({ ...wire, target: change(wire.target, secret) }) }
}

const TARGETS: readonly Trick[] = [
  ...[
    '/x.css',
    '.css',
    ';x.css',
    ';.js',
    '%2fx.css',
    '%3f.css',
    '%23.css',
    '%00.css',
    '%0d%0aX: y',
    '/..%2fx',
    '/.',
    '/',
  ],
  ...[
    '?',
    '?a=1',
    '?a=1&a=2',
    '?A=1',
    '?a[]=1&a[b]=2',
    '?_method=POST',
    '?__proto__[a]=1',
    '?constructor=1&a=__proto__',
  ],
  ...[
    '?a=1;b=2',
    '?a=%',
    '?a=%ff',
    '?a=%00',
    '?b=1&a=1',
    '?a=1%26b=2',
    '?a=1#x',
    '??a=1',
    '?a=1|x-tenant=y',
    '|u:x',
    '||',
  ],
  ...['?a=\u00e9', '\u00e9', '\\x', '"', ' x', '%20', '%25', '%C0%AE', '?utf8=%E2%9C%93', `?a=${'x'.repeat(3000)}`],
].map(suffix => target(`suffix ${suffix.slice(0, 40)}`, from => from + suffix))

const FORMS: readonly Trick[] = [
  target('a query of its own', (from, secret) => `${from}?a=${secret}`),
  target('an unchosen query', (from, secret) => `${from}?a=1&b=${secret}`),
  target('two leading slashes', from => `/${from}`),
  target('two slashes inside', from => from.replace(/(.)\//, '$1//')),
  target('a dot segment', from => `/x/..${from}`),
  target('an encoded dot segment', from => `/x/%2e%2e${from}`),
  target('upper case', from => from.toUpperCase()),
  target('an encoded letter', from => from.replace('c', '%63')),
  target('absolute form', from => `http://site.test${from}`),
  target('absolute form of another host', (from, secret) => `http://${secret}.test${from}`),
  target('absolute form, other scheme', from => `HTTPS://site.test${from}`),
  target('authority in the path', (from, secret) => `//${secret}.test${from}`),
  target('asterisk', () => '*'),
]

const HOSTS: readonly Trick[] = [
  ...[
    'SITE.test',
    'site.test.',
    'site.test:80',
    'site.test:99999',
    'a@site.test',
    'site.test|x',
    'site.test/x',
    '',
    '[::1]',
  ],
  ...['site.test, other.test', 'site.test\t', '\u00e9.test', '__proto__', 'site.test?a=1', 'site.test#'],
].map((host): Trick => ({ name: `host ${host}`, apply: wire => ({ ...wire, host }) }))

const OWN_HOSTS: readonly Trick[] = [
  { name: 'a host of its own', apply: (wire, secret) => ({ ...wire, host: `${secret}.test` }) },
  { name: 'two hosts', apply: (wire, secret) => withHeaders(wire, ['Host', `${secret}.test`]) },
  {
    name: 'a host after an absolute form',
    apply: (wire, secret) => ({ ...wire, target: `http://site.test${wire.target}`, host: `${secret}.test` }),
  },
  { name: 'another address', apply: wire => ({ ...wire, from: '127.0.0.9' }) },
]

export const TRICKS: readonly Trick[] = [
  ...HEADERS,
  ...METHODS,
  ...BODIES,
  ...TARGETS,
  ...FORMS,
  ...HOSTS,
  ...OWN_HOSTS,
]
