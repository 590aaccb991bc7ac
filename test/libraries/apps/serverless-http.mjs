import serverless from 'serverless-http'
import { BINARY, createApp } from './express-app.mjs'

export const handler = serverless(createApp(), { binary: BINARY })
