import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { composeCommand } from '@agentic-hooks/testing/compose'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')
const WAIT_SECONDS = '180'
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

export interface StackOptions {
  /** A compose file of this project, and what the tests lay over it. */
  readonly files: readonly string[]
  readonly services: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A shipped compose file, up on a real Docker engine under a name of its own; disposing removes all of it. */
export interface Stack extends AsyncDisposable {
  /** Where a port of a service is published, as in `127.0.0.1:40123`. */
  address(service: string, port: number): Promise<string>
  /** The ids of a service's containers, those that have ended included. */
  containers(service: string): Promise<string[]>
}

/** Resolves when every service is running, and healthy where it has a health check. */
export async function startStack({ files, services, env = {} }: StackOptions): Promise<Stack> {
  const command = await composeCommand()
  if (!command) throw new Error('neither Docker Compose nor Go is installed')
  const project = `agentic-hooks-test-${randomBytes(4).toString('hex')}`
  const fileArguments = files.flatMap((file) => ['--file', join(ROOT, file)])
  const [program, ...leading] = [
    ...command,
    '--project-name',
    project,
    '--project-directory',
    ROOT,
    ...fileArguments,
  ]
  const compose = async (...args: readonly string[]) => {
    const { stdout } = await run(program!, [...leading, ...args], {
      env: { ...process.env, ...env },
      maxBuffer: MAX_OUTPUT_BYTES,
    })
    return stdout.trim()
  }
  const stack: Stack = {
    address: (service, port) => compose('port', service, String(port)),
    containers: async (service) => (await compose('ps', '--all', '--quiet', service)).split('\n'),
    async [Symbol.asyncDispose]() {
      await compose('--profile', '*', 'down', '--volumes', '--timeout', '20')
    },
  }
  try {
    await compose('up', '--detach', '--no-build', '--wait', '--wait-timeout', WAIT_SECONDS, ...services)
    return stack
  } catch (error) {
    const logs = await compose('logs', '--tail', '30').catch(String)
    await stack[Symbol.asyncDispose]()
    throw new Error(`docker compose up failed: ${error}\n${logs}`)
  }
}

/** Runs a command in a container. @throws Error when it ends with another code than 0 */
export async function execIn(container: string, ...command: readonly string[]): Promise<string> {
  return (await run('docker', ['exec', container, ...command])).stdout.trim()
}

interface ContainerState {
  readonly Status: string
  readonly Pid: number
  readonly StartedAt: string
  readonly Health?: { readonly Status: string }
}

export async function stateOf(container: string): Promise<ContainerState> {
  const { stdout } = await run('docker', ['inspect', '--format', '{{json .State}}', container])
  return JSON.parse(stdout)
}

/** Stops a container's processes where they are, so that others see one that hangs; resume() lets them go on. */
export async function pause(container: string): Promise<void> {
  await run('docker', ['pause', container])
}

export async function resume(container: string): Promise<void> {
  await run('docker', ['unpause', container])
}

/** The instances of a job that a Prometheus scrapes with success. */
export async function scrapedInstances(prometheusAddress: string, job: string): Promise<string[]> {
  const query = encodeURIComponent(`up{job="${job}"} == 1`)
  const answer = await fetch(`http://${prometheusAddress}/api/v1/query?query=${query}`)
  const { data } = (await answer.json()) as { data: { result: { metric: { instance: string } }[] } }
  return data.result.map(({ metric }) => metric.instance)
}

/** Builds the image that the compose files name. */
export async function buildImage(): Promise<void> {
  await run('docker', ['build', '--tag', 'agentic-hooks-receiver', ROOT], { maxBuffer: MAX_OUTPUT_BYTES })
}
