import { dockerAnswers } from '@agentic-hooks/testing/compose'
import { buildImage } from './stack.ts'

export async function setup(): Promise<void> {
  if (!(await dockerAnswers())) {
    console.log('Skipped: no Docker engine answers (system-tests/containers/stand-ins/README.md starts one).')
    return
  }
  console.log('Building the image agentic-hooks-receiver ...')
  await buildImage()
}
