import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { collectorPath } from '@agentic-hooks/testing/collector/build'
import { freePort } from '@agentic-hooks/testing/postgres'
import { type Server, startServer } from '../servers.ts'

const EXPORTERS = {
  // What it does not do: fsync before it answers, or recognize a batch that arrives twice.
  file: (folder: string) => ({ file: { path: join(folder, 'logs.jsonl') } }),
  debug: () => ({ debug: { verbosity: 'basic' } }),
} as const

/**
 * A real OpenTelemetry Collector: otlp receiver, no processor, one exporter.
 * @throws Error when it is neither there nor can be built
 */
export async function startCollector(exporter: keyof typeof EXPORTERS, folder: string): Promise<Server> {
  const port = await freePort()
  const exporters = EXPORTERS[exporter](folder)
  const config = join(folder, `collector-${exporter}.json`)
  // YAML is a superset of JSON.
  writeFileSync(
    config,
    JSON.stringify({
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      exporters,
      service: {
        pipelines: { logs: { receivers: ['otlp'], exporters: Object.keys(exporters) } },
        telemetry: { metrics: { level: 'none' } },
      },
    }),
  )
  return startServer([await collectorPath(), '--config', config], {
    portIn: (line) => (line.includes('Everything is ready') ? String(port) : undefined),
  })
}
