import { handle } from 'hono/aws-lambda'
import { createApp } from './hono-app.mjs'

export const handler = handle(createApp())
