import { setTimeout as delay } from 'node:timers/promises'
import { execute, freePort, type ServerControl } from './postgres-server.ts'

const START_TIMEOUT_MILLIS = 60_000
const POLL_MILLIS = 50
const PASSWORD = 'secret'

/** The official image on the Docker engine that answers. Its port on the host is fixed, so that it outlives a kill. */
export async function startContainer(version: 15 | 18): Promise<ServerControl> {
  // Loading it takes longer than the embedded server needs to start.
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers')
  const port = await freePort()
  const started = await new GenericContainer(`postgres:${version}`)
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
    .withExposedPorts({ container: 5432, host: port })
    .withCommand(['postgres', '-c', 'max_connections=200'])
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  const container = (await getContainerRuntimeClient()).container.getById(started.getId())
  const url = `postgres://postgres:${PASSWORD}@${started.getHost()}:${port}/postgres`
  await untilItAnswers(url)
  return {
    url,
    source: 'docker',
    async restart() {
      await container.restart()
      await untilItAnswers(url)
    },
    async kill() {
      await container.kill()
      await container.wait()
    },
    async start() {
      await container.start()
      await untilItAnswers(url)
    },
    pause: () => container.pause(),
    resume: () => container.unpause(),
    async stop() {
      await started.stop()
    },
  }
}

async function untilItAnswers(url: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MILLIS
  for (;;) {
    try {
      await execute(url, 'SELECT')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(POLL_MILLIS)
    }
  }
}
