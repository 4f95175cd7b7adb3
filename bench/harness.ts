import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuShares, cpuTicks } from './processes.ts'

/** One line of a result. Text and numbers are columns of the table; anything else goes to the JSON only. */
export type Row = Readonly<Record<string, unknown>>

export interface BenchOptions {
  /** Runs of each variant, interleaved; the rows tell the medians. Default: the bench's own. */
  readonly runs?: number
  /** Measured time of a run. Default: the bench's own. */
  readonly durationMillis?: number
}

/** A file of this folder that answers one question. */
export interface Bench {
  readonly question: string
  run(options: BenchOptions): Promise<readonly Row[]>
}

/** Runs the variants in turn, `runs` times over, so that a disturbance meets all of them alike. */
export async function interleaved<Name extends string>(
  variants: Readonly<Record<Name, () => Promise<Row>>>,
  runs: number,
): Promise<Record<Name, Row[]>> {
  const names = Object.keys(variants) as Name[]
  const rows = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Row[]>
  for (let run = 0; run < runs; run++) {
    for (const name of names) rows[name].push(await variants[name]())
  }
  return rows
}

/** One row a variant. */
export function medianRows(rows: Readonly<Record<string, readonly Row[]>>): Row[] {
  return Object.entries(rows).map(([variant, ofVariant]) => ({ variant, ...medianRow(ofVariant) }))
}

/** Column by column the median of the numbers; the first row's of the rest. */
export function medianRow(rows: readonly Row[]): Row {
  const [first = {}] = rows
  return Object.fromEntries(
    Object.entries(first).map(([key, value]) => [
      key,
      typeof value === 'number' ? median(rows.map((row) => Number(row[key]))) : value,
    ]),
  )
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The median of the shares that each run's events/s are of the baseline run beside it. */
export function shareOf(runs: readonly Row[], baseline: readonly Row[]): number {
  return median(runs.map((run, index) => Number(run['events/s']) / Number(baseline[index]?.['events/s'])))
}

/** What the figures were measured on. */
export function machine(): Row {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release()}`,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 19),
  }
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? ' with changes' : '')
  } catch {
    return 'unknown'
  }
}

const LOOK_MILLIS = 1_000
const BUSY_SHARE = 0.1
const STOLEN_SHARE = 0.02

/**
 * Has the disk write what earlier benches left in memory, then looks at the machine for a second before a bench; what
 * it returns says, after the bench, why its figures may be worth little. Not the load average: after one bench it
 * would warn of the next.
 */
export async function watchMachine(): Promise<() => string[]> {
  execFileSync('sync')
  const before = cpuTicks()
  await delay(LOOK_MILLIS)
  const { busy } = cpuShares(before)
  const begin = cpuTicks()
  return () => {
    const { stolen } = cpuShares(begin)
    return [
      ...(busy > BUSY_SHARE ? [`the processors were ${percent(busy)} busy before it began`] : []),
      ...(stolen > STOLEN_SHARE ? [`other machines took ${percent(stolen)} of the processors`] : []),
    ]
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** @param style gets each padded cell of a row, to colour it */
export function formatTable(
  rows: readonly Row[],
  style: (text: string, column: string, row: Row) => string = (text) => text,
): string {
  const keys = new Set(rows.flatMap((row) => Object.keys(row)))
  const columns = [...keys].filter((key) => rows.some((row) => formatCell(row[key])))
  const numeric = new Set(columns.filter((column) => rows.every((row) => typeof row[column] !== 'string')))
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => formatCell(row[column]).length)),
  )
  const pad = (text: string, index: number) =>
    numeric.has(columns[index]!) ? text.padStart(widths[index]!) : text.padEnd(widths[index]!)
  return [
    columns.map(pad).join('  '),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...rows.map((row) =>
      columns.map((column, index) => style(pad(formatCell(row[column]), index), column, row)).join('  '),
    ),
  ]
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Three significant digits below a thousand, whole numbers above. */
function formatCell(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'number') return ''
  if (!Number.isFinite(value)) return '-'
  const digits =
    Number.isInteger(value) || Math.abs(value) >= 1000
      ? 0
      : Math.abs(value) >= 100
        ? 0
        : Math.abs(value) >= 10
          ? 1
          : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
