import type { RequestHandler } from 'express'
import { MethodNotAllowedError } from '../errors.ts'

/** After `get()` of a route: answers any other method with 405. */
export const readOnly: RequestHandler = (request) => {
  throw new MethodNotAllowedError(request.method, 'GET, HEAD')
}
