export { type Config, ConfigError, readConfig } from './config/options.ts'
export { type Receiver, startReceiver } from './receiver.ts'
export { type ExporterSpec, loadExporter, loadExporters, withSpools } from './storage/load.ts'
