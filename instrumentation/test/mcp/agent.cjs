const { Client } = require('@modelcontextprotocol/sdk/client/index.js')
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js')
const { InMemoryTransport } = require('@modelcontextprotocol/sdk/inMemory.js')
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js')
const { z } = require('zod')
const { play } = require('./scenarios.mjs')

play({ Client, InMemoryTransport, McpServer, serverFile: 'server.cjs', StdioClientTransport, z })
