import { createRequire } from 'node:module'

type Emission = typeof import('./emission.ts')

let emission: Emission | undefined

/**
 * What sends events, loaded at once and only when it is first needed: a process without agents never loads the
 * client, nor OpenTelemetry's SDK. In the preload's bundle it is a file of its own.
 */
export function loadEmission(): Emission {
  emission ??= createRequire(import.meta.url)(
    import.meta.filename.endsWith('.ts') ? './emission.ts' : './emission.js',
  )
  return emission as Emission
}
