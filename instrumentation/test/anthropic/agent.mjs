import Anthropic from '@anthropic-ai/sdk'
import { play } from './scenarios.mjs'

await play(Anthropic)
