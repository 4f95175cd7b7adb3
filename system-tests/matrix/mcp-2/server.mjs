import { McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
import { addTools } from './tools.mjs'

const server = new McpServer({ name: 'remote', version: '1.0.0' })
addTools(server, z)
await server.connect(new StdioServerTransport())
