import { setTimeout as delay } from 'node:timers/promises'
import { EventType } from '@agentic-hooks/events'
import { HookClient } from '@agentic-hooks/instrumentation'
import { sampleEvent } from './load/sample-events.ts'

/*
 * One process of the swarm: `swarm-agents.ts ENDPOINT FIRST_AGENT AGENTS EVENTS_PER_SECOND SECONDS`, where the
 * rate is that of one agent. Prints what it emitted and what that cost as JSON.
 */

const [endpoint = '', ...numbers] = process.argv.slice(2)
const [firstAgent = 0, agents = 1, eventsPerSecond = 10, seconds = 1] = numbers.map(Number)

const bareBytes = process.memoryUsage.rss()
const clients = Array.from({ length: agents }, () => new HookClient({ endpoint }))
const cpuBefore = process.cpuUsage()
const endMillis = Date.now() + seconds * 1000
let emitted = 0
let peakBytes = 0

async function work(client: HookClient, agent: number): Promise<void> {
  const sessionId = `swarm-${agent}`
  const pauseMillis = 1000 / eventsPerSecond
  await delay(Math.random() * pauseMillis)
  client.emit({ eventType: EventType.SessionStarted, sessionId })
  emitted++
  for (let index = 0; Date.now() < endMillis; index++) {
    const { eventType, data } = sampleEvent(index)
    client.emit({ eventType, sessionId, data })
    emitted++
    await delay(pauseMillis)
  }
}

const sampler = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
}, 250)
await Promise.all(clients.map((client, index) => work(client, firstAgent + index)))
// close() alone gives up after two seconds, which is right for an agent and wrong for counting.
await Promise.all(clients.map((client) => client.flush()))
await Promise.all(clients.map((client) => client.close()))
clearInterval(sampler)
const { user, system } = process.cpuUsage(cpuBefore)
console.log(JSON.stringify({ emitted, cpuSeconds: (user + system) / 1e6, bareBytes, peakBytes }))
