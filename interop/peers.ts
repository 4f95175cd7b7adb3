import { NEEDS_GO } from '../scripts/collector/build.ts'
import { dockerAnswers } from '../scripts/compose.ts'
import { has, missing } from '../scripts/tools.ts'
import { hasCollectorProgram } from './collector.ts'

/**
 * Why a peer cannot be had on this machine, or null. In CI what Debian has is installed, and what is missing
 * nevertheless fails the tests; elsewhere they are skipped.
 */
export const MISSING: Readonly<Record<'collector' | 'go' | 'python' | 'prometheus' | 'java', string | null>> =
  {
    collector: hasCollectorProgram() || (await dockerAnswers()) ? null : NEEDS_GO,
    go: has('go') ? null : 'Go is not installed (https://go.dev/dl)',
    python: has('python3') ? null : 'python3 is not installed',
    prometheus: await missing('prometheus', 'prometheus'),
    java: has('java') && has('mvn') ? null : 'java and mvn are not installed (Debian: apt-get install maven)',
  }
