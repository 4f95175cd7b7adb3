import { printable } from './printable.ts'

/** What a person can do about a failed system call, where that is known. */
const REMEDIES: Readonly<Record<string, string>> = {
  'EADDRINUSE listen': 'end the process that listens there, or set PORT, or ADMIN_PORT, to another one',
  'EACCES listen': 'set PORT, or ADMIN_PORT, to one from 1024',
  'EADDRNOTAVAIL listen': 'set HOST, or ADMIN_HOST, to an address of this machine',
  'ENOTFOUND getaddrinfo': 'correct that name, or see why it does not resolve',
}
const NO_ACCESS = 'let the user that runs this write there, or name another path'
const NO_SPACE = 'make room there, or name another path'
const OF_A_PATH: Readonly<Record<string, string>> = {
  EACCES: NO_ACCESS,
  EPERM: NO_ACCESS,
  EROFS: NO_ACCESS,
  ENOSPC: NO_SPACE,
  EDQUOT: NO_SPACE,
  ENOENT: 'name a path that exists',
  EEXIST: 'name another path',
  ENOTDIR: 'name another path',
  EISDIR: 'name a file',
}

/** One line for the person who started the command: what failed and, where it is known, what to do about it. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error))
  const { code = '', syscall, path } = error as NodeJS.ErrnoException
  // Of a connection that was refused on several addresses the message is empty.
  const reason =
    error.message || (error instanceof AggregateError && describeAll(error)) || code || error.name
  const remedy =
    REMEDIES[`${code} ${syscall}`] ??
    (path === undefined ? undefined : OF_A_PATH[code]) ??
    (isOfDatabase(error)
      ? 'see that PostgreSQL runs and accepts this connection, or correct DATABASE_URL'
      : undefined)
  return printable(remedy === undefined ? reason : `${reason}: ${remedy}`)
}

function describeAll({ errors }: AggregateError): string {
  return [...new Set(errors.map((error) => (error instanceof Error ? error.message : String(error))))].join(
    ', ',
  )
}

/** By its name or its system call: the PostgreSQL exporter is loaded only where it is used. */
function isOfDatabase(error: Error): boolean {
  const { syscall } = error as NodeJS.ErrnoException
  return error.name === 'UnavailableError' || syscall === 'connect' || error instanceof AggregateError
}
