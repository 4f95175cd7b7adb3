import * as ai from 'ai'
import * as test from 'ai/test'
import { z } from 'zod'
import { play } from './scenarios.mjs'

await play(ai, test, z)
