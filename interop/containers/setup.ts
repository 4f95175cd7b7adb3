import { dockerAnswers } from '../../scripts/compose.ts'
import { buildImage } from './stack.ts'

export async function setup(): Promise<void> {
  if (!(await dockerAnswers())) {
    console.log('Skipped: no Docker engine answers (interop/stand-ins/README.md starts one).')
    return
  }
  console.log('Building the image agentic-hooks-receiver ...')
  await buildImage()
}
