export { type Config, ConfigError, readConfig } from './config.ts'
export { type ExporterSpec, loadExporter, loadExporters, withSpools } from './exporters.ts'
export { type Receiver, startReceiver } from './receiver.ts'
