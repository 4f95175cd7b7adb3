const agents = require('@openai/agents')
const { z } = require('zod')
const { play } = require('./scenarios.mjs')

play(agents, z)
