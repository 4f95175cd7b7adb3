const { GoogleGenAI } = require('@google/genai')
const { play } = require('./scenarios.mjs')

play(GoogleGenAI)
