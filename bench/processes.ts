import { readdirSync, readFileSync } from 'node:fs'
import { execute } from '@agentic-hooks/testing/postgres'

/** Every Linux that Node supports; there is no portable way to ask. */
const TICKS_PER_SECOND = 100

interface ProcessStat {
  readonly parent: number
  readonly ownTicks: number
  /** Of children that ended and were waited for. */
  readonly reapedTicks: number
}

/** CPU-seconds, user and system, of a process and all its descendants, ended ones included; 0 without /proc. */
export function treeCpuSeconds(root: number): number {
  const children = Map.groupBy(allProcesses(), ([, stat]) => stat.parent)
  const ticks = (pid: number, stat: ProcessStat): number =>
    (children.get(pid) ?? []).reduce(
      (sum, [child, childStat]) => sum + ticks(child, childStat),
      stat.ownTicks + stat.reapedTicks,
    )
  const stat = readStat(root)
  return stat ? ticks(root, stat) / TICKS_PER_SECOND : 0
}

/** CPU-seconds of the children of a process that ended and were waited for. */
export function reapedCpuSeconds(pid: number): number {
  return (readStat(pid)?.reapedTicks ?? 0) / TICKS_PER_SECOND
}

/** Resident memory in bytes; 0 where there is no /proc. */
export function residentBytes(pid: number): number {
  return statusKiB(pid, 'VmRSS') * 1024
}

/** The most resident memory that the process ever had, in bytes. */
export function peakResidentBytes(pid: number): number {
  return statusKiB(pid, 'VmHWM') * 1024
}

/** The postmaster of a server on this machine: the parent of every backend. */
export async function postmasterPid(url: string): Promise<number> {
  const [row] = await execute(url, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid")
  return Number(row?.pid)
}

/** What shares of the processors' time were used, and taken by other machines, since then. */
export function cpuShares(since: readonly number[]): { busy: number; stolen: number } {
  const differences = cpuTicks().map((ticks, index) => ticks - (since[index] ?? 0))
  const total = differences.reduce((sum, ticks) => sum + ticks, 0)
  const share = (...columns: number[]) =>
    total > 0 ? columns.reduce((sum, column) => sum + (differences[column] ?? 0), 0) / total : 0
  return { busy: total > 0 ? 1 - share(IDLE, IOWAIT) : 0, stolen: share(STEAL) }
}

const IDLE = 3
const IOWAIT = 4
const STEAL = 7

/** The machine's counters: user, nice, system, idle, iowait, irq, softirq, steal. */
export function cpuTicks(): number[] {
  const line = readText('/proc/stat')?.split('\n', 1)[0] ?? ''
  return line.split(/\s+/).slice(1, 9).map(Number)
}

function allProcesses(): [pid: number, stat: ProcessStat][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readStat(Number(name))
      return stat ? [[Number(name), stat] as [number, ProcessStat]] : []
    })
}

function readStat(pid: number): ProcessStat | null {
  const text = readText(`/proc/${pid}/stat`)
  if (!text) return null
  // proc_pid_stat(5); the name in parentheses may hold anything, so count from behind it: state is field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  return { parent: field(4), ownTicks: field(14) + field(15), reapedTicks: field(16) + field(17) }
}

function statusKiB(pid: number, name: string): number {
  return Number(
    new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readText(`/proc/${pid}/status`) ?? '')?.[1] ?? 0,
  )
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
