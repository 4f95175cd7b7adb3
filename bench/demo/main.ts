import { styleText } from 'node:util'
import { type Exporter, isEventReader } from '@agentic-hooks/events'
import { createExporter as createJsonlExporter } from '@agentic-hooks/exporter-jsonl'
import { createExporter as createPostgresExporter } from '@agentic-hooks/exporter-postgres'
import { commandLine, parse } from '@agentic-hooks/testing/command-line'
import { startPostgres } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '../servers.ts'
import { readRecordings } from './recording.ts'
import { describeStore } from './report.ts'
import { replaySwarm } from './swarm.ts'

const HELP = `Replays recorded Claude Code sessions as a swarm of agents, through a receiver into a store, and shows
what the store then knows.

  --agents N    sessions at the same time; default: one for each recording
  --speed N     1 is as recorded, 10 ten times faster, fast waits for nothing; default fast
  --postgres    into the PostgreSQL of DATABASE_URL, else into one that comes with the packages and is removed
                afterwards; default: into a JSONL file
  --path FILE   the JSONL file; default .agentic/demo/<time>.jsonl
`

interface Storage {
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  /** Opens what the receiver has written, once it has stopped. */
  readonly open: () => Exporter
  readonly remove: () => Promise<void>
}

async function main(): Promise<void> {
  const { values } = commandLine(HELP, {
    agents: { type: 'string' },
    speed: { type: 'string', default: 'fast' },
    postgres: { type: 'boolean', default: false },
    path: { type: 'string' },
  })
  const recordings = readRecordings()
  const agents = parsePositive('agents', values.agents ?? String(recordings.length))
  const speed = values.speed === 'fast' ? Number.POSITIVE_INFINITY : parsePositive('speed', values.speed)
  const storage = values.postgres ? await postgresStorage() : jsonlStorage(values.path)
  try {
    await replayInto(storage, recordings, { agents, speed })
  } finally {
    await storage.remove()
  }
}

async function replayInto(
  storage: Storage,
  recordings: ReturnType<typeof readRecordings>,
  { agents, speed }: { agents: number; speed: number },
): Promise<void> {
  const receiver = await startReceiver(storage.environment)
  const from = new Date()
  let emitted: number
  try {
    console.log(
      `${agents} agents replay ${recordings.length} recorded sessions through ${receiver.url} into ${storage.name}.\n`,
    )
    const progress = showProgress(agents)
    const swarm = await replaySwarm(recordings, {
      endpoint: receiver.url,
      agents,
      speed,
      onEmit: progress.update,
    })
    progress.end()
    emitted = swarm.emitted
  } finally {
    await receiver.stop()
  }
  const seconds = (Date.now() - from.getTime()) / 1000
  const { text, events } = await readBack(storage, from)
  console.log(text)
  const summary = `\n${emitted} events emitted, ${events} read back from ${storage.name}, ${seconds.toFixed(1)} s`
  if (events === emitted) return console.log(styleText('green', `${summary}: nothing was lost.`))
  console.log(styleText('red', `${summary}.`))
  process.exitCode = 1
}

async function readBack(storage: Storage, from: Date) {
  const exporter = storage.open()
  if (!isEventReader(exporter)) throw new Error(`${exporter.name} cannot be read`)
  await exporter.start()
  try {
    return await describeStore(exporter, from)
  } finally {
    await exporter.shutdown()
  }
}

function jsonlStorage(file?: string): Storage {
  const path = file ?? `.agentic/demo/${new Date().toISOString().replaceAll(':', '-')}.jsonl`
  return {
    name: path,
    environment: { STORAGE_TYPE: 'jsonl', JSONL_PATH: path },
    open: () => createJsonlExporter({ path }),
    remove: async () => {},
  }
}

async function postgresStorage(): Promise<Storage> {
  const server = process.env.DATABASE_URL ? null : await startPostgres()
  const databaseUrl = process.env.DATABASE_URL || (await server?.createDatabase()) || ''
  return {
    name: server ? 'a PostgreSQL of its own' : 'the PostgreSQL of DATABASE_URL',
    environment: { STORAGE_TYPE: 'postgres', DATABASE_URL: databaseUrl },
    open: () => createPostgresExporter({ databaseUrl }),
    remove: async () => server?.stop(),
  }
}

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const FRAME_MILLIS = 80

/** One line that is drawn over and over; nothing where the output is no terminal. */
function showProgress(agents: number) {
  let emitted = 0
  let frame = 0
  const draw = () => {
    const spinner = styleText('cyan', FRAMES[frame++ % FRAMES.length]!)
    process.stdout.write(`\r\x1b[K${spinner} ${agents} agents at work, ${emitted} events emitted`)
  }
  const timer = process.stdout.isTTY ? setInterval(draw, FRAME_MILLIS) : undefined
  return {
    update: (count: number) => {
      emitted = count
    },
    end: () => {
      clearInterval(timer)
      if (timer) process.stdout.write('\r\x1b[K')
    },
  }
}

function parsePositive(name: string, text: string): number {
  return parse(() => {
    const value = Number(text)
    if (!(value > 0)) throw new Error(`--${name} is ${JSON.stringify(text)}; it must be a number above 0`)
    return value
  })
}

await main()
