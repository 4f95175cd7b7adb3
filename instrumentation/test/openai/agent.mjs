import OpenAI from 'openai'
import { play } from './scenarios.mjs'

await play(OpenAI)
