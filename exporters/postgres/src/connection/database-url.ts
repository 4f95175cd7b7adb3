/** One server that DATABASE_URL names, as a URL with one host. */
export interface DatabaseHost {
  readonly url: URL
  /** The connection is of use only when the server takes writes; the next host is tried otherwise. */
  readonly mustBeWritable: boolean
  /** The URL's own `connect_timeout`; null where it has none, and the option counts. */
  readonly connectTimeoutMillis: number | null
}

const PARTS = /^(postgres(?:ql)?:\/\/)(?:([^@/?#]*)@)?([^@/?#]*)(\/[^@?#]*)?(\?[^#]*)?$/
/** Without what was given: what looks like a host or a parameter may be the rest of a password. */
const FORM =
  'it must be a URL such as postgres://user:password@localhost:5432/database; in the user, the password and the ' +
  'database each of / ? # @ is written as %2F %3F %23 %40'
const WRITABLE = ['read-write', 'primary']

/**
 * The parameters that a URL may have, each with the values that are understood: true for any. As in psql, others are
 * refused: a parameter that is passed over may be the one that a person's security hangs on.
 */
const PARAMETERS: ReadonlyMap<string, true | readonly string[]> = new Map<string, true | readonly string[]>([
  ...[
    'host',
    'port',
    'user',
    'password',
    'dbname',
    'application_name',
    'fallback_application_name',
    'options',
  ].map((name) => [name, true] as const),
  ...['sslrootcert', 'sslcert', 'sslkey', 'connect_timeout'].map((name) => [name, true] as const),
  ['target_session_attrs', [...WRITABLE, 'any']],
  ['sslmode', ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']],
  ['ssl', ['true']],
  ['sslnegotiation', ['postgres', 'direct']],
  ['channel_binding', ['disable', 'prefer', 'require']],
  // What is done anyway.
  ['client_encoding', ['UTF8', 'utf8', 'UTF-8', 'utf-8', 'auto']],
  ['gssencmode', ['disable', 'prefer']],
  ['keepalives', ['1']],
  ['load_balance_hosts', ['disable']],
  ['sslcompression', ['0']],
  ['sslsni', ['1']],
  ['uselibpqcompat', ['true']],
])

/**
 * The hosts of a URL in libpq's forms: `host:port`, several of them with commas between, `?host=/socket/folder`, or none.
 * Several hosts are tried in turn, and only one that takes writes is used (`target_session_attrs=read-write`, the
 * default where there are several).
 * @throws Error that says which part is wrong, without quoting a password
 */
export function databaseHosts(databaseUrl: string): DatabaseHost[] {
  const [, scheme, user, authority, path = '', search = ''] = PARTS.exec(databaseUrl) ?? []
  if (scheme === undefined || authority === undefined) throw new Error(FORM)
  requireDecodable({ 'user or password': user, host: authority, database: path })
  const parameters = new URLSearchParams(search)
  requireKnown(parameters)
  const hosts = hostList(authority, parameters)
  const wanted = parameters.get('target_session_attrs') ?? (hosts.length > 1 ? 'read-write' : 'any')
  const connectTimeoutMillis = connectTimeoutOf(parameters)
  translate(parameters)
  const database = parameters.get('dbname')
  for (const name of ['target_session_attrs', 'host', 'port', 'dbname', 'connect_timeout'])
    parameters.delete(name)
  const credentials = user === undefined ? '' : `${user}@`
  return hosts.map(({ host, port }) => {
    const isSocket = host.startsWith('/')
    const address = isSocket ? `localhost${port}` : `${host}${port}`
    const text = `${scheme}${credentials}${address}${database === null ? path : `/${encodeURIComponent(database)}`}`
    if (!URL.canParse(text))
      throw new Error(user === undefined ? FORM : `its host ${JSON.stringify(`${host}${port}`)} is not one`)
    const url = new URL(text)
    for (const [name, value] of parameters) url.searchParams.append(name, value)
    if (isSocket) url.searchParams.set('host', host)
    return { url, mustBeWritable: WRITABLE.includes(wanted), connectTimeoutMillis }
  })
}

function requireDecodable(parts: Readonly<Record<string, string | undefined>>): void {
  for (const [name, text = ''] of Object.entries(parts)) {
    try {
      decodeURIComponent(text)
    } catch {
      throw new Error(`its ${name} has a % that begins no character; a % itself is written as %25`)
    }
  }
}

function requireKnown(parameters: URLSearchParams): void {
  for (const [name, value] of parameters) {
    if (name.includes('@')) throw new Error(FORM)
    const values = PARAMETERS.get(name)
    if (values === undefined) {
      throw new Error(
        `its parameter ${JSON.stringify(name)} is not supported; known are ${[...PARAMETERS.keys()].join(', ')}`,
      )
    }
    if (values === true || values.includes(value)) continue
    const because = name === 'target_session_attrs' ? ', because this program writes' : ''
    throw new Error(`its ${name} is ${JSON.stringify(value)}; it must be ${values.join(' or ')}${because}`)
  }
}

function connectTimeoutOf(parameters: URLSearchParams): number | null {
  const seconds = parameters.get('connect_timeout')
  if (seconds === null) return null
  if (!/^\d{1,6}$/.test(seconds)) {
    throw new Error(`its connect_timeout is ${JSON.stringify(seconds)}; it must be a number of seconds`)
  }
  // As in libpq: none, and at least two seconds.
  return Number(seconds) === 0 ? null : Math.max(2, Number(seconds)) * 1000
}

/** What libpq takes for a shorthand of something else. */
function translate(parameters: URLSearchParams): void {
  if (parameters.has('ssl')) {
    parameters.delete('ssl')
    if (!parameters.has('sslmode')) parameters.set('sslmode', 'require')
  }
  if (parameters.get('sslrootcert') !== 'system') return
  const sslmode = parameters.get('sslmode') ?? 'verify-full'
  if (sslmode !== 'verify-full') {
    throw new Error(`its sslmode is ${JSON.stringify(sslmode)}; sslrootcert=system needs verify-full`)
  }
  parameters.delete('sslrootcert')
  parameters.set('sslmode', 'verify-full')
}

interface Host {
  readonly host: string
  /** With its colon; empty for the default. */
  readonly port: string
}

function hostList(authority: string, parameters: URLSearchParams): Host[] {
  const host = parameters.get('host')
  if (host === null) return authority.split(',').map(splitPort)
  const ports = parameters.get('port')?.split(',') ?? []
  return host.split(',').map((name, index) => {
    const port = ports[index] ?? ports[0] ?? splitPort(authority).port.slice(1)
    return { host: name, port: port === '' ? '' : `:${port}` }
  })
}

function splitPort(hostAndPort: string): Host {
  const [, host = '', port = ''] = /^(.*?)(:\d*)?$/.exec(decodeHost(hostAndPort)) ?? []
  return { host, port: port === ':' ? '' : port }
}

/** `%2Frun%2Fpostgresql` is a folder of sockets. */
function decodeHost(text: string): string {
  return /^%2f/i.test(text) ? decodeURIComponent(text) : text
}
