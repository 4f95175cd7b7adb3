/** Works with a server of either version of the SDK. */
export function addTools(server, z) {
  const city = z.object({ city: z.string() })
  server.registerTool(
    'weather',
    { description: 'The weather', inputSchema: city },
    async ({ city: name }) => {
      await new Promise((resolve) => setTimeout(resolve, name === 'Rome' ? 1 : 30))
      if (name === 'Atlantis') throw new Error('no such city')
      return { content: [{ type: 'text', text: 'sunny' }] }
    },
  )
  server.registerTool('sleep', { description: 'Takes long' }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    return { content: [{ type: 'text', text: 'good morning' }] }
  })
}
