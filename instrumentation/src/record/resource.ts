import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { uuidv7 } from '@agentic-hooks/events'
import type { Attributes } from '@opentelemetry/api'
import type { InstrumentationScope } from '@opentelemetry/core'
import { defaultResource, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources'

const { name, version } = createRequire(import.meta.url)('../../package.json')

/** Who emits: this package, whoever calls it. */
export const INSTRUMENTATION_SCOPE: InstrumentationScope = { name, version }

const instanceId = uuidv7()

/** What all events of this process have in common; the given attributes win over the environment's. */
export function processResource(attributes: Attributes): Resource {
  return defaultResource()
    .merge(
      resourceFromAttributes({
        'service.instance.id': instanceId,
        'process.pid': process.pid,
        'host.name': hostname(),
      }),
    )
    .merge(resourceFromAttributes({ ...envDetector.detect().attributes, ...attributes }))
}
