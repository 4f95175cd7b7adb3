const OpenAI = require('openai')
const { play } = require('./scenarios.mjs')

play(OpenAI)
