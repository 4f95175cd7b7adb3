export type { ExporterSpec } from './config/exporter-list.ts'
export { type Config, ConfigError, readConfig } from './config/options.ts'
export { type Receiver, startReceiver } from './receiver.ts'
export { loadExporter, loadExporters, withSpools } from './storage/load.ts'
