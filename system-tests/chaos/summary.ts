import { availableParallelism } from 'node:os'
import type { ChaosResult } from './run.ts'

/** What a run found, as a table for a page of docs/. */
export function summary(command: string, result: ChaosResult): string {
  const { emitted, acknowledged, stored, storedUnanswered } = result
  const rows: readonly (readonly [string, string | number])[] = [
    ['Command', `\`${command}\``],
    ['On', `${availableParallelism()} cores, ${result.software}`],
    ['Killed (SIGKILL)', result.kills],
    ['Faults', listed(result.faults)],
    ['Emitted', emitted],
    ['Acknowledged', acknowledged],
    ['Stored', stored],
    ['Acknowledged, not stored', result.lost.length],
    ['Stored twice', result.duplicated.length],
    ['Stored, never emitted', result.unknown.length],
    ['Stored, the answer lost on the way', storedUnanswered],
    ['Attempts by outcome', listed(result.attempts)],
    ['From the end of a fault to the next acknowledgement', spread(result.recoveryMillis)],
    [
      'From the start of a postmaster to the next event that it stored',
      spread(result.databaseRecoveryMillis),
    ],
  ]
  const checks = listed(result.takenOut)
  const all = checks ? [...rows, ['Taken out by health checks', checks] as const] : rows
  return ['| | |', '|---|---|', ...all.map(([name, value]) => `| ${name} | ${format(value)} |`)].join('\n')
}

function format(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : value
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name}: ${format(count)}`)
    .join('; ')
}

function spread(millis: readonly number[]): string {
  if (millis.length === 0) return 'none'
  const sorted = millis.toSorted((a, b) => a - b)
  const median = sorted[sorted.length >> 1]!
  return `median ${format(median)} ms, longest ${format(sorted.at(-1)!)} ms, of ${sorted.length}`
}
