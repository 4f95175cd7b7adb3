import { setTimeout as sleep } from 'node:timers/promises'
import { execute } from '@agentic-hooks/testing/postgres'
import type { Random } from '@agentic-hooks/testing/random'
import type { World } from './world.ts'

export const KILL_RECEIVER = 'SIGKILL receiver'
export const KILL_DATABASE = 'SIGKILL postmaster'

/** Something that goes wrong and is over when `run` resolves. */
export interface Fault {
  /** As in `SIGKILL receiver`. */
  readonly kind: string
  /** As in `SIGKILL receiver-2, started again after 300 ms`. */
  readonly name: string
  /** Two faults of the same subject never come together. */
  readonly subject: 'receiver' | 'database'
  run(): Promise<void>
}

/** The next thing to go wrong, as the seed wants it. */
export function chooseFault(world: World, random: Random): Fault {
  const makers = [
    killReceiver,
    killReceiver,
    killReceiver,
    killReceiver,
    killDatabase,
    killDatabase,
    killDatabase,
    stopReceiver,
    stopDatabase,
    resetReceiver,
    resetDatabase,
    terminateReceiver,
  ]
  if (world.disk) makers.push(fillDisk)
  return random.pick(makers)(world, random)
}

function killReceiver(world: World, random: Random): Fault {
  const receiver = random.pick(world.receivers)
  const downMillis = random.between(0, 1_000)
  return {
    kind: KILL_RECEIVER,
    name: `SIGKILL ${receiver.name}, started again after ${downMillis} ms`,
    subject: 'receiver',
    async run() {
      await receiver.kill()
      await sleep(downMillis)
      await receiver.startAgain()
    },
  }
}

function killDatabase(world: World, random: Random): Fault {
  const downMillis = random.between(0, 2_000)
  return {
    kind: KILL_DATABASE,
    name: `SIGKILL postmaster, started again after ${downMillis} ms`,
    subject: 'database',
    async run() {
      await world.killDatabase()
      await sleep(downMillis)
      await world.startDatabase()
    },
  }
}

function terminateReceiver(world: World, random: Random): Fault {
  const receiver = random.pick(world.receivers)
  return {
    kind: 'SIGTERM receiver',
    name: `SIGTERM ${receiver.name}`,
    subject: 'receiver',
    async run() {
      await receiver.terminate()
      await receiver.startAgain()
    },
  }
}

function stopReceiver(world: World, random: Random): Fault {
  const receiver = random.pick(world.receivers)
  const stoppedMillis = random.between(100, 3_000)
  return {
    kind: 'SIGSTOP receiver',
    name: `SIGSTOP ${receiver.name} for ${stoppedMillis} ms`,
    subject: 'receiver',
    async run() {
      receiver.signal('SIGSTOP')
      await sleep(stoppedMillis)
      receiver.signal('SIGCONT')
    },
  }
}

function stopDatabase({ postgres }: World, random: Random): Fault {
  const stoppedMillis = random.between(100, 3_000)
  return {
    kind: 'SIGSTOP postgres',
    name: `SIGSTOP postgres for ${stoppedMillis} ms`,
    subject: 'database',
    async run() {
      await postgres.pause()
      await sleep(stoppedMillis)
      await postgres.resume()
    },
  }
}

function resetReceiver(world: World, random: Random): Fault {
  const { name, proxy } = random.pick(world.receivers)
  return resets('RST receiver', name, 'receiver', () => proxy.resetAll(), random)
}

function resetDatabase({ postgresProxy }: World, random: Random): Fault {
  return resets('RST postgres', 'PostgreSQL', 'database', () => postgresProxy.resetAll(), random)
}

function resets(
  kind: string,
  to: string,
  subject: Fault['subject'],
  reset: () => void,
  random: Random,
): Fault {
  const times = random.between(1, 20)
  const everyMillis = random.between(1, 100)
  return {
    kind,
    name: `RST on all connections to ${to}, ${times} times, ${everyMillis} ms apart`,
    subject,
    async run() {
      for (let time = 0; time < times; time++) {
        reset()
        await sleep(everyMillis)
      }
    },
  }
}

function fillDisk(world: World, random: Random): Fault {
  const fullMillis = random.between(500, 3_000)
  return {
    kind: 'disk full',
    name: `disk of the database and the spool full for ${fullMillis} ms`,
    subject: 'database',
    async run() {
      world.disk?.fill()
      await sleep(fullMillis)
      world.disk?.empty()
      // Without room for its log the server may have ended; somebody starts it once there is room again.
      const alive = await execute(world.postgres.url, 'SELECT').then(
        () => true,
        () => false,
      )
      if (alive) return
      await world.killDatabase()
      await world.startDatabase()
    },
  }
}
