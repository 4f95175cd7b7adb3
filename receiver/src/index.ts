export { type Config, ConfigError, readConfig } from './config.ts'
export { type ExporterSpec, loadExporter } from './exporters.ts'
export { type Receiver, startReceiver } from './receiver.ts'
