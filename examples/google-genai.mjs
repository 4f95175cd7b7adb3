// Google's client alone: one model call.
import { GoogleGenAI } from '@google/genai'
import { startModel } from './model-on-this-machine.mjs'

const content = { role: 'model', parts: [{ text: 'It is 24 degrees in Rome.' }] }
const model = await startModel({
  generateContent: {
    modelVersion: 'gemini-mock',
    candidates: [{ content, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 8, totalTokenCount: 28 },
  },
})

const ai = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: model.url } })
const { text } = await ai.models.generateContent({
  model: 'gemini-mock',
  contents: 'How warm is it in Rome?',
})
console.log(text)
model.stop()
