import { parentPort, workerData } from 'node:worker_threads'
import { ATTACKS, type Scale } from './attacks.ts'

/* Runs one attack in a thread of its own, so that it does not slow the bystander down. */

const { attack, url, scale } = workerData as { attack: string; url: string; scale: Scale }
parentPort!.postMessage(await ATTACKS[attack]!(new URL(url), scale))
