import { streamHandle } from 'hono/aws-lambda'
import { createApp } from './hono-app.mjs'

export const handler = streamHandle(createApp())
