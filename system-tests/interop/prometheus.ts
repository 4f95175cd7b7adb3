import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@agentic-hooks/testing/postgres'

const START_TIMEOUT_MILLIS = 30_000
const POLL_MILLIS = 100
const ALERTS = join(import.meta.dirname, '../..', 'deploy/prometheus/alerts.yaml')

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

export interface RunningPrometheus extends AsyncDisposable {
  /** What a query gives now. @throws Error with Prometheus' reason */
  query(promql: string): Promise<Sample[]>
  /** The names of the alerts of deploy/prometheus that it evaluates, each with its health. */
  alertRules(): Promise<Map<string, string>>
}

/** A real Prometheus that scrapes each job's URLs once a second, with the shipped alerts. */
export async function startPrometheus(jobs: Readonly<Record<string, string>>): Promise<RunningPrometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'agentic-hooks-prometheus-'))
  const url = `http://127.0.0.1:${await freePort()}`
  const scrapeConfigs = Object.entries(jobs).map(([job, target]) => ({
    job_name: job,
    static_configs: [{ targets: [new URL(target).host] }],
  }))
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [ALERTS],
    scrape_configs: scrapeConfigs,
  }
  // JSON is YAML.
  await writeFile(join(directory, 'prometheus.json'), JSON.stringify(config))
  const child = spawn(
    'prometheus',
    [
      `--config.file=${directory}/prometheus.json`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=${new URL(url).host}`,
    ],
    { stdio: 'ignore' },
  )
  const exited = once(child, 'close')
  const get = async (path: string) => {
    const answer = (await (await fetch(url + path)).json()) as { data: never; error?: string }
    if (answer.error) throw new Error(`${path}: ${answer.error}`)
    return answer.data
  }
  await waitUntilReady(`${url}/-/ready`)
  return {
    async query(promql) {
      const { result } = (await get(`/api/v1/query?query=${encodeURIComponent(promql)}`)) as {
        result: { metric: Record<string, string>; value: [number, string] }[]
      }
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
    },
    async alertRules() {
      const { groups } = (await get('/api/v1/rules')) as {
        groups: { rules: { name: string; health: string }[] }[]
      }
      return new Map(groups.flatMap(({ rules }) => rules.map(({ name, health }) => [name, health])))
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function waitUntilReady(url: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MILLIS
  while (performance.now() < deadline) {
    const answer = await fetch(url).catch(() => null)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
  }
  throw new Error(`Prometheus did not become ready at ${url}`)
}
