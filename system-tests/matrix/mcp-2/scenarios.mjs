import { fileURLToPath } from 'node:url'
import { thrown } from '../agents/register/thrown.mjs'
import { addTools } from './tools.mjs'

/** Plays every scenario, one after the other, with a server in this process and with one in a process of its own. */
export async function play({ Client, InMemoryTransport, McpServer, serverFile, StdioClientTransport, z }) {
  const near = await connectInMemory('near', addTools)
  const gateway = await connectInMemory('gateway', (server) => {
    server.registerTool('ask', { description: 'Asks another server' }, async () => ({
      content: (await near.callTool({ name: 'weather', arguments: { city: 'Rome' } })).content,
    }))
  })
  const far = new Client({ name: 'agent', version: '1.0.0' })
  await far.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [...process.execArgv, fileURLToPath(new URL(serverFile, import.meta.url))],
      env: { ...process.env, AGENTIC_HOOKS_SESSION_ID: 'server' },
    }),
  )
  const weather = (client, city, options) =>
    client.callTool({ name: 'weather', arguments: { city } }, options)

  const scenarios = {
    succeeds: () => weather(near, 'Rome'),
    throws: () => weather(near, 'Atlantis'),
    unknown: () => near.callTool({ name: 'unheard_of', arguments: {} }),
    parallel: () => Promise.all([weather(near, 'Rome'), weather(near, 'Atlantis')]),
    nested: () => gateway.callTool({ name: 'ask', arguments: {} }),
    remote: () => weather(far, 'Rome'),
    aborted: () => {
      const controller = new AbortController()
      const call = near.callTool({ name: 'sleep', arguments: {} }, { signal: controller.signal })
      setTimeout(() => controller.abort('enough'), 10)
      return call
    },
  }

  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      console.log(name, JSON.stringify(await scenario()))
    } catch (error) {
      console.log(name, thrown(error))
    }
  }
  for (const client of [gateway, near, far]) await client.close()

  async function connectInMemory(name, prepare) {
    const server = new McpServer({ name, version: '1.0.0' })
    prepare(server, z)
    const client = new Client({ name: 'agent', version: '1.0.0' })
    const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
    await Promise.all([server.connect(serverSide), client.connect(clientSide)])
    return client
  }
}
