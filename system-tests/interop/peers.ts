import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { NEEDS_GO } from '@agentic-hooks/testing/collector/build'
import { collectorVersion, hasCollectorProgram } from '@agentic-hooks/testing/collector/collector'
import { dockerAnswers } from '@agentic-hooks/testing/compose'
import { missing, missingGo, missingJava, missingPython } from '@agentic-hooks/testing/tools'

export const PYTHON_SDK = '1.45.2'
export const TELEMETRYGEN = '0.161.0'
export const POM = join(import.meta.dirname, 'peers/java/pom.xml')

type Peer = 'collector' | 'go' | 'python' | 'prometheus' | 'haproxy' | 'java'

/**
 * Why a peer cannot be had on this machine, or null. In CI what Debian has is installed; what is missing
 * nevertheless is named, and its tests are skipped. What is there and does not work fails them.
 */
export const MISSING: Readonly<Record<Peer, string | null>> = {
  collector: hasCollectorProgram() || (await dockerAnswers()) ? null : NEEDS_GO,
  go: missingGo(),
  python: await missingPython(),
  prometheus: await missing('prometheus', 'prometheus'),
  haproxy: await missing('haproxy', 'haproxy'),
  java: await missingJava(),
}

/** As in `telemetrygen 0.161.0, go version go1.26.8 linux/amd64`; builds the Collector. */
export async function versionOf(peer: Peer): Promise<string> {
  switch (peer) {
    case 'collector':
      return `OpenTelemetry Collector ${await collectorVersion()}`
    case 'go':
      return `telemetrygen ${TELEMETRYGEN}, ${await firstLine('go', 'version')}`
    case 'python':
      return `opentelemetry-sdk ${PYTHON_SDK}, ${await firstLine('python3', '--version')}`
    case 'java': {
      const sdk = /<version>(\d+\.\d+\.\d+)</.exec(readFileSync(POM, 'utf8'))?.[1]
      return `opentelemetry-java ${sdk}, ${await firstLine('java', '--version')}`
    }
    case 'prometheus':
      return firstLine('prometheus', '--version')
    case 'haproxy':
      return firstLine('haproxy', '-v')
  }
}

async function firstLine(command: string, argument: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(command, [argument])
  return `${stdout}${stderr}`.split('\n', 1)[0]!
}
