const { query } = require('@anthropic-ai/claude-agent-sdk')
const { play } = require('./scenarios.mjs')

play(query)
