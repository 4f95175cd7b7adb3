import * as agents from '@openai/agents'
import { z } from 'zod'
import { play } from './scenarios.mjs'

await play(agents, z)
