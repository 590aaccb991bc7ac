import awsLambdaFastify from '@fastify/aws-lambda'
import { createApp } from './fastify-app.mjs'

export const handler = awsLambdaFastify(createApp(), { binaryMimeTypes: ['application/octet-stream'] })
