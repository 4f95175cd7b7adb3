import { GoogleGenAI } from '@google/genai'
import { play } from './scenarios.mjs'

await play(GoogleGenAI)
