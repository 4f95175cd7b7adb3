const ai = require('ai')
const test = require('ai/test')
const { z } = require('zod')
const { play } = require('./scenarios.mjs')

play(ai, test, z)
