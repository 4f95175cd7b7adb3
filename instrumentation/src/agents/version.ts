/** Kept equal to package.json by a test: reading the file would cost every start of every agent. */
export const version = '0.1.0'
