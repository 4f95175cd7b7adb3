const Anthropic = require('@anthropic-ai/sdk')
const { play } = require('./scenarios.mjs')

play(Anthropic)
