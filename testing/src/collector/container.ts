import { tmpdir } from 'node:os'
import type { CollectorCommand, CollectorRunner } from './process.ts'

export const CONTAINER_VERSION = '0.162.0'
const IMAGE = `otel/opentelemetry-collector-contrib:${CONTAINER_VERSION}`

/**
 * The official image on the Docker engine that answers. It shares the host's network and folder of temporary
 * files, so that a command means the same to it as to a process.
 * @param files further ones that the command names
 */
export async function collectorContainer(
  { args, env }: CollectorCommand,
  files: readonly string[],
): Promise<CollectorRunner> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers')
  const started = await new GenericContainer(IMAGE)
    .withNetworkMode('host')
    .withUser('0:0')
    .withEnvironment(env)
    .withCommand([...args])
    .withBindMounts([...files, tmpdir()].map((path) => ({ source: path, target: path })))
    .withWaitStrategy(Wait.forLogMessage('Everything is ready'))
    .start()
  const container = (await getContainerRuntimeClient()).container.getById(started.getId())
  return {
    async start() {
      const { State } = await container.inspect()
      if (!State.Running) await container.start()
    },
    async end(signal) {
      const { State } = await container.inspect()
      if (!State.Running) return
      await container.kill({ signal })
      await container.wait()
    },
    log: async () => String(await container.logs({ stdout: true, stderr: true })),
    async dispose() {
      await started.stop()
    },
  }
}
