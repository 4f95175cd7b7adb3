import { execFileSync } from 'node:child_process'
import { rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execute } from '../postgres.ts'
import type { Random } from '../random.ts'
import type { World } from './world.ts'

/** Something that goes wrong and is over when `run` resolves. */
export interface Fault {
  /** As in `SIGKILL receiver 2, started again after 300 ms`. */
  readonly name: string
  /** Whether a process was killed. */
  readonly kills: boolean
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
    killDatabase,
    killDatabase,
    stopReceiver,
    stopDatabase,
    resetAgents,
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
    name: `SIGKILL ${receiver.name}, started again after ${downMillis} ms`,
    kills: true,
    subject: 'receiver',
    async run() {
      await receiver.kill()
      await sleep(downMillis)
      await receiver.startAgain()
    },
  }
}

function killDatabase({ postgres }: World, random: Random): Fault {
  const downMillis = random.between(0, 2_000)
  return {
    name: `SIGKILL postmaster, started again after ${downMillis} ms`,
    kills: true,
    subject: 'database',
    async run() {
      await postgres.kill()
      await sleep(downMillis)
      await postgres.start()
    },
  }
}

function terminateReceiver(world: World, random: Random): Fault {
  const receiver = random.pick(world.receivers)
  return {
    name: `SIGTERM ${receiver.name}`,
    kills: false,
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
    name: `SIGSTOP ${receiver.name} for ${stoppedMillis} ms`,
    kills: false,
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
    name: `SIGSTOP postgres for ${stoppedMillis} ms`,
    kills: false,
    subject: 'database',
    async run() {
      await postgres.pause()
      await sleep(stoppedMillis)
      await postgres.resume()
    },
  }
}

function resetAgents(world: World, random: Random): Fault {
  const receiver = random.pick(world.receivers)
  return resets(
    `agents' connections to ${receiver.name}`,
    'receiver',
    () => receiver.proxy.resetAll(),
    random,
  )
}

function resetDatabase({ postgresProxy }: World, random: Random): Fault {
  return resets('connections to PostgreSQL', 'database', () => postgresProxy.resetAll(), random)
}

function resets(of: string, subject: Fault['subject'], reset: () => void, random: Random): Fault {
  const times = random.between(1, 20)
  const everyMillis = random.between(1, 100)
  return {
    name: `RST on all ${of}, ${times} times, ${everyMillis} ms apart`,
    kills: false,
    subject,
    async run() {
      for (let time = 0; time < times; time++) {
        reset()
        await sleep(everyMillis)
      }
    },
  }
}

function fillDisk({ disk, postgres }: World, random: Random): Fault {
  const fullMillis = random.between(500, 3_000)
  return {
    name: `disk of the database full for ${fullMillis} ms`,
    kills: false,
    subject: 'database',
    async run() {
      const ballast = join(disk!, 'ballast')
      fill(disk!, ballast)
      await sleep(fullMillis)
      rmSync(ballast)
      // Without room for its log the server may have ended; somebody starts it once there is room again.
      const alive = await execute(postgres.url, 'SELECT').then(
        () => true,
        () => false,
      )
      if (alive) return
      await postgres.kill()
      await postgres.start()
    },
  }
}

function fill(disk: string, path: string): void {
  const { bavail, bsize } = statfsSync(disk)
  execFileSync('fallocate', ['--length', String(bavail * bsize), path])
}
