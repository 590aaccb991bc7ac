import serverlessExpress from '@codegenie/serverless-express'
import { BINARY, createApp } from './express-app.mjs'

export const handler = serverlessExpress({ app: createApp(), binarySettings: { contentTypes: BINARY } })
