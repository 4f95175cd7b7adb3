import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * The process that a spool file belongs to, as the file's name says: `host,pidNamespace,pid,startTime,id.jsonl`.
 * A process id alone would not do: it is used again, and containers each count their own.
 */
export interface Owner {
  readonly host: string
  /** Linux: the namespace that the process id counts in. Elsewhere empty. */
  readonly pidNamespace: string
  readonly pid: number
  /** Linux: clock ticks between boot and the start of the process. Elsewhere empty. */
  readonly startTime: string
}

/** No process owns a file of this name: its client was closed before all was delivered. */
const RELEASED = 'released'
const SUFFIX = '.jsonl'

export const thisProcess: Owner = {
  host: hostname(),
  pidNamespace: pidNamespace(),
  pid: process.pid,
  startTime: startTimeOf(process.pid) ?? '',
}

export function ownedFileName({ host, pidNamespace, pid, startTime }: Owner, id: string): string {
  return `${[encodeURIComponent(host), pidNamespace, pid, startTime, id].join(',')}${SUFFIX}`
}

export function releasedFileName(id: string): string {
  return `${RELEASED},${id}${SUFFIX}`
}

/** What the server refused, or what is damaged: kept for a person, who renames it to `released,...` to have it sent. */
export function setAsideFileName(kind: 'refused' | 'damaged', id: string): string {
  return `${kind},${id}${SUFFIX}`
}

export function isSetAside(fileName: string): boolean {
  return /^(refused|damaged),[^,]*\.jsonl$/.test(fileName)
}

/** The owner, `null` when the file has none, `undefined` when it is no file of a spool. */
export function ownerOf(fileName: string): Owner | null | undefined {
  if (!fileName.endsWith(SUFFIX)) return undefined
  const parts = fileName.slice(0, -SUFFIX.length).split(',')
  if (parts.length === 2 && parts[0] === RELEASED) return null
  const [host, pidNamespace, pid, startTime] = parts
  const name = decoded(host!)
  if (parts.length !== 5 || !/^\d{1,15}$/.test(pid!) || name === undefined) return undefined
  return {
    host: name,
    pidNamespace: pidNamespace!,
    pid: Number(pid),
    startTime: startTime!,
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // Not written by us.
  }
}

/** Whether the process lives; `unknown` for one that cannot be seen from here. */
export function stateOf(owner: Owner): 'alive' | 'dead' | 'unknown' {
  if (owner.host !== thisProcess.host || owner.pidNamespace !== thisProcess.pidNamespace) return 'unknown'
  if (owner.startTime) return startTimeOf(owner.pid) === owner.startTime ? 'alive' : 'dead'
  try {
    process.kill(owner.pid, 0)
    return 'alive'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : 'dead'
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  } catch {
    return ''
  }
}

/** Field 22 of /proc/<pid>/stat; a zombie counts as ended. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the command's name in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : fields[19]!
  } catch {
    return null
  }
}
