// Whether the receiver in this container is ready: exit code 0 or 1. The image has no curl, and needs none.
import http from 'node:http'
import https from 'node:https'

const { ADMIN_PORT, PORT, TLS_CERT_FILE } = process.env
const [port] = (ADMIN_PORT || PORT || '4318').split(',')
const { get } = TLS_CERT_FILE ? https : http
// The certificate is for the name that clients use, which is not this one.
const options = { host: '127.0.0.1', port, path: '/health/ready', timeout: 3000, rejectUnauthorized: false }

get(options, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1))
