// An agent without a library: a session, a tool that is watched, and events of its own.
import { HookClient, instrumentTool } from '@agentic-hooks/instrumentation'

const client = new HookClient()
const weather = instrumentTool(async (city) => `24 degrees in ${city}`, { name: 'weather', client })

await client.session('example-custom').record(async () => {
  client.emit({ eventType: 'user_prompt_submitted', data: { prompt: 'How warm is it in Rome?' } })
  console.log(`It is ${await weather('Rome')}.`)
})
