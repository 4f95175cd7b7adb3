export * from './faulty-file-system.ts'
export * from './power-failure.ts'
export * from './simulated-disk.ts'
