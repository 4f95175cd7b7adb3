import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '@agentic-hooks/testing/postgres'

const SHIPPED_CONFIG = join(import.meta.dirname, '../../deploy/haproxy/haproxy.cfg')
/** Of an answer: which server of the balancer it is from. */
export const SERVER_HEADER = 'x-server'

export interface BalancedServer {
  readonly name: string
  readonly port: number
}

/**
 * HAProxy as production has it: the shipped configuration, which here finds its servers on ports of this machine
 * instead of by Docker's DNS.
 */
export class Balancer {
  readonly url: string
  /** How often its health checks took a server out, by server and reason. */
  readonly takenOut = new Map<string, number>()
  readonly #child: ChildProcess
  #stderr = ''
  readonly #directory: string

  private constructor(url: string, child: ChildProcess, directory: string) {
    this.url = url
    this.#child = child
    this.#directory = directory
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    createInterface(child.stdout!).on('line', (line) => {
      const down = /^Server receivers\/(\S+) is DOWN, reason: ([^,]+)/.exec(line)
      if (!down) return
      const why = `${down[1]}, ${down[2]}`
      this.takenOut.set(why, (this.takenOut.get(why) ?? 0) + 1)
    })
  }

  /** Resolves once every server has passed its health check. */
  static async start(servers: readonly BalancedServer[]): Promise<Balancer> {
    const directory = mkdtempSync(join(tmpdir(), 'agentic-hooks-balancer-'))
    const port = await freePort()
    const path = join(directory, 'haproxy.cfg')
    writeFileSync(path, localConfig(readFileSync(SHIPPED_CONFIG, 'utf8'), port, servers))
    const child = spawn('haproxy', ['-db', '-f', path], { stdio: ['ignore', 'pipe', 'pipe'] })
    await once(child, 'spawn')
    const balancer = new Balancer(`http://127.0.0.1:${port}`, child, directory)
    await balancer.#ready()
    return balancer
  }

  /** As in `HAProxy 2.6.12`. */
  static version(): string {
    const [version] = /\d+\.\d+\.\d+/.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' })) ?? ['?']
    return `HAProxy ${version}`
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    if (this.#child.kill('SIGKILL')) await exited
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #ready(): Promise<void> {
    const answers = () => fetch(`${this.url}/health/ready`).catch(() => null)
    while (!(await answers())) {
      if (this.#child.exitCode !== null) throw new Error(`HAProxy ended:\n${this.#stderr}`)
    }
  }
}

function localConfig(shipped: string, port: number, servers: readonly BalancedServer[]): string {
  const lines = servers.map(({ name, port }) => `    server ${name} 127.0.0.1:${port}`)
  const edits: readonly (readonly [RegExp, string])[] = [
    [/^resolvers docker\n(?: {4}.*\n)+/m, ''],
    [/bind :4318$/m, `bind 127.0.0.1:${port}\n    http-response set-header ${SERVER_HEADER} %s`],
    [/check port 9464/, 'check'],
    [/^ {4}server-template .*$/m, lines.join('\n')],
  ]
  return edits.reduce((config, [pattern, replacement]) => {
    if (!pattern.test(config)) throw new Error(`${SHIPPED_CONFIG} has nothing like ${pattern}`)
    return config.replace(pattern, () => replacement)
  }, shipped)
}
