import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { startContainer } from './postgres-container.ts'
import { startEmbedded } from './postgres-embedded.ts'
import { execute, type PostgresOptions, type PostgresServer, type ServerControl } from './postgres-server.ts'

export { execute, freePort, type PostgresOptions, type PostgresServer } from './postgres-server.ts'

/**
 * The server that TEST_DATABASE_URL names, else one in a container where a Docker engine answers, else the
 * embedded binaries, ready in about a second. The caller stops it.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = await startServer(options)
  const databases: string[] = []
  return {
    ...server,
    async createDatabase() {
      const name = `test_${randomUUID().replaceAll('-', '')}`
      await execute(server.url, `CREATE DATABASE ${name} TEMPLATE template0`)
      databases.push(name)
      const url = new URL(server.url)
      url.pathname = name
      return url.href
    },
    async stop() {
      if (server.source === 'TEST_DATABASE_URL') {
        for (const name of databases) await execute(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
      }
      await server.stop()
    },
  }
}

async function startServer({ version, owned, settings, files }: PostgresOptions): Promise<ServerControl> {
  const external = process.env.TEST_DATABASE_URL
  if (external && !owned && !version && !settings) return externalServer(external)
  const docker = process.env.DOCKER_HOST || existsSync('/var/run/docker.sock')
  if (docker && !settings) {
    try {
      return await startContainer(version ?? 18)
    } catch (error) {
      console.warn(`No PostgreSQL container (${error}); the embedded binaries are used instead.`)
    }
  }
  return startEmbedded(version ?? 18, settings, files)
}

function externalServer(url: string): ServerControl {
  const refuse = () =>
    Promise.reject(new Error('The server of TEST_DATABASE_URL is not ours to stop; ask for `owned: true`.'))
  return {
    url,
    source: 'TEST_DATABASE_URL',
    restart: refuse,
    kill: refuse,
    start: refuse,
    pause: refuse,
    resume: refuse,
    stop: () => Promise.resolve(),
  }
}
