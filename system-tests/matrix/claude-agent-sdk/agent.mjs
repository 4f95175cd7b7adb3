import { query } from '@anthropic-ai/claude-agent-sdk'
import { play } from './scenarios.mjs'

await play(query)
