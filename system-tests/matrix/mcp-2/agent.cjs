const { Client, InMemoryTransport } = require('@modelcontextprotocol/client')
const { StdioClientTransport } = require('@modelcontextprotocol/client/stdio')
const { McpServer } = require('@modelcontextprotocol/server')
const { z } = require('zod')
const { play } = require('./scenarios.mjs')

play({ Client, InMemoryTransport, McpServer, serverFile: 'server.cjs', StdioClientTransport, z })
