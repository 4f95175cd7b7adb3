// The Model Context Protocol: a client and a server with two tools, one of which fails.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

const server = new McpServer({ name: 'weather-server', version: '1.0.0' })
const inputSchema = z.object({ city: z.string() })
server.registerTool('weather', { description: 'The weather', inputSchema }, async ({ city }) => ({
  content: [{ type: 'text', text: `24 degrees in ${city}` }],
}))
server.registerTool('forecast', { description: 'The weather to come', inputSchema }, async () => {
  throw new Error('nobody knows')
})

const client = new Client({ name: 'weather-agent', version: '1.0.0' })
const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
await Promise.all([server.connect(serverSide), client.connect(clientSide)])

for (const name of ['weather', 'forecast']) {
  const { content } = await client.callTool({ name, arguments: { city: 'Rome' } })
  console.log(content[0].text)
}
await client.close()
