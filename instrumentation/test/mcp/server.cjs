const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js')
const { StdioServerTransport } = require('@modelcontextprotocol/sdk/server/stdio.js')
const { z } = require('zod')
const { addTools } = require('./tools.mjs')

const server = new McpServer({ name: 'remote', version: '1.0.0' })
addTools(server, z)
server.connect(new StdioServerTransport())
