import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { play } from './scenarios.mjs'

await play({ Client, InMemoryTransport, McpServer, serverFile: 'server.mjs', StdioClientTransport, z })
