const { McpServer } = require('@modelcontextprotocol/server')
const { StdioServerTransport } = require('@modelcontextprotocol/server/stdio')
const { z } = require('zod')
const { addTools } = require('./tools.mjs')

const server = new McpServer({ name: 'remote', version: '1.0.0' })
addTools(server, z)
server.connect(new StdioServerTransport())
