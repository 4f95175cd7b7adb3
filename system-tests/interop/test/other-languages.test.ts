import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { execute, type PostgresServer, startPostgres } from '@agentic-hooks/testing/postgres'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { buildOnce, goTool, python, runIn, shortHash } from '@agentic-hooks/testing/tools'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countStored } from '../database.ts'
import { MISSING, POM, PYTHON_SDK, TELEMETRYGEN } from '../peers.ts'

const run = promisify(execFile)
const PEERS = join(import.meta.dirname, '../peers')
const PYTHON_PACKAGES = [
  `opentelemetry-sdk==${PYTHON_SDK}`,
  `opentelemetry-exporter-otlp-proto-http==${PYTHON_SDK}`,
]
const BUILD_TIMEOUT_MILLIS = 600_000

describe('the SDKs of other languages -> receiver -> PostgreSQL', () => {
  let postgres: PostgresServer
  let databaseUrl: string
  let receiver: RunningReceiver
  beforeAll(async () => {
    postgres = await startPostgres()
    databaseUrl = await postgres.createDatabase()
    receiver = await startReceiver({ env: { DATABASE_URL: databaseUrl } })
  })
  afterAll(async () => {
    await receiver?.stop()
    await postgres?.stop()
  })

  /** What emit.py and Emit.java both send. */
  async function expectTheirEvents(language: string): Promise<void> {
    const rows = await execute(
      databaseUrl,
      `SELECT event_type, workflow_id, data, attributes, resource->>'service.name' AS service, scope->>'name' AS scope
       FROM hook_events JOIN hook_resources ON id = resource_id WHERE session_id = '${language}-1'
       ORDER BY "timestamp", (data->>'index')::int`,
    )
    const common = { workflow_id: null, service: `${language}-agent`, scope: `${language}-agent` }
    expect(rows).toHaveLength(102)
    expect(rows[0]).toMatchObject({ ...common, event_type: 'session_started', data: {} })
    expect(rows[1]).toMatchObject({
      ...common,
      event_type: 'tool_execution_completed',
      data: { tool_name: 'Bash', index: 0, input: { command: 'ls', flags: ['-l', '-a'] }, success: true },
    })
    expect(rows[101]).toMatchObject({ ...common, event_type: 'session_completed', data: { reason: 'done' } })
  }

  it.skipIf(MISSING.python)(
    'stores whole what the Python SDK sends',
    async () => {
      const executable = await python('otel', PYTHON_PACKAGES)
      await runIn(PEERS, executable, ['emit.py', receiver.url])
      await expectTheirEvents('python')
    },
    BUILD_TIMEOUT_MILLIS,
  )

  it.skipIf(MISSING.java)(
    'stores whole what the Java SDK sends, in gzip',
    async () => {
      const jars = await buildOnce(`java-otel-${shortHash(await readFile(POM))}`, async (folder) => {
        const output = join(folder, 'jars')
        await runIn(folder, 'mvn', [
          '-q',
          '-f',
          POM,
          'dependency:copy-dependencies',
          `-DoutputDirectory=${output}`,
        ])
        return output
      })
      await runIn(join(PEERS, 'java'), 'java', ['-cp', `${jars}/*`, 'Emit.java', receiver.url])
      await expectTheirEvents('java')
    },
    BUILD_TIMEOUT_MILLIS,
  )

  it.skipIf(MISSING.go)(
    'stores whole what telemetrygen, which knows nothing of hook events, sends',
    async () => {
      const telemetrygen = await goTool(
        'telemetrygen',
        'github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen',
        `v${TELEMETRYGEN}`,
      )
      const before = (await countStored(databaseUrl)).events
      await run(telemetrygen, [
        'logs',
        '--otlp-http',
        '--otlp-insecure',
        `--otlp-endpoint=${new URL(receiver.url).host}`,
        '--workers=2',
        '--logs=500',
        '--rate=0',
        '--body=hello',
        '--severity-number=17',
        '--severity-text=Error',
        '--trace-id=5b8efff798038103d269b633813fc60c',
        '--span-id=eee19b7ec3c1b174',
        '--service=generator',
        '--telemetry-attributes=session.id="go-1"',
        '--telemetry-attributes=answer=42',
      ])
      expect((await countStored(databaseUrl)).events - before).toBe(1000)
      const [row] = await execute(
        databaseUrl,
        `SELECT event_type, data, severity, trace_id, span_id, attributes, resource
         FROM hook_events JOIN hook_resources ON id = resource_id WHERE session_id = 'go-1' LIMIT 1`,
      )
      expect(row).toMatchObject({
        event_type: 'log',
        data: { body: 'hello', answer: 42 },
        severity: 17,
        trace_id: '5b8efff798038103d269b633813fc60c',
        span_id: 'eee19b7ec3c1b174',
        attributes: { severity_text: 'Error' },
        resource: { 'service.name': 'generator' },
      })
    },
    BUILD_TIMEOUT_MILLIS,
  )
})
