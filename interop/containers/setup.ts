import { buildImage, hasDocker } from './stack.ts'

export async function setup(): Promise<void> {
  if (!(await hasDocker())) {
    console.log('Skipped: no Docker engine answers (interop/stand-ins/README.md starts one).')
    return
  }
  console.log('Building the image agentic-hooks-receiver ...')
  await buildImage()
}
