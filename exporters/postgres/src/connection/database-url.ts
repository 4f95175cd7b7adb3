/** One server that DATABASE_URL names, as a URL with one host. */
export interface DatabaseHost {
  readonly url: URL
  /** The connection is of use only when the server takes writes; the next host is tried otherwise. */
  readonly mustBeWritable: boolean
}

const PARTS = /^(postgres(?:ql)?:\/\/)(?:([^@/?]*)@)?([^/?#]*)(\/[^?#]*)?(\?[^#]*)?$/
const WRITABLE = ['read-write', 'primary']

/**
 * The hosts of a URL in libpq's forms: `host:port`, several of them with commas between, `?host=/socket/folder`, or none.
 * Several hosts are tried in turn, and only one that takes writes is used (`target_session_attrs=read-write`, the
 * default where there are several).
 * @throws Error that says which part is wrong, without quoting a password
 */
export function databaseHosts(databaseUrl: string): DatabaseHost[] {
  const [, scheme, user, authority, path = '', search = ''] = PARTS.exec(databaseUrl) ?? []
  if (scheme === undefined || authority === undefined) {
    throw new Error('it must be a URL such as postgres://user:password@localhost:5432/database')
  }
  const parameters = new URLSearchParams(search)
  const hosts = hostList(authority, parameters)
  const wanted = parameters.get('target_session_attrs') ?? (hosts.length > 1 ? 'read-write' : 'any')
  if (![...WRITABLE, 'any'].includes(wanted)) {
    throw new Error(
      `its target_session_attrs is ${JSON.stringify(wanted)}; this program writes, so it must be read-write, primary or any`,
    )
  }
  parameters.delete('target_session_attrs')
  parameters.delete('host')
  parameters.delete('port')
  const credentials = user === undefined ? '' : `${user}@`
  return hosts.map(({ host, port }) => {
    const isSocket = host.startsWith('/')
    const address = isSocket ? `localhost${port}` : `${host}${port}`
    const text = `${scheme}${credentials}${address}${path}`
    if (!URL.canParse(text)) throw new Error(`its host ${JSON.stringify(`${host}${port}`)} is none`)
    const url = new URL(text)
    for (const [name, value] of parameters) url.searchParams.append(name, value)
    if (isSocket) url.searchParams.set('host', host)
    return { url, mustBeWritable: WRITABLE.includes(wanted) }
  })
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
