import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware'
import { Tracer } from '@aws-lambda-powertools/tracer'
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware'
import middy from '@middy/core'

const logger = new Logger({ serviceName: 'pets' })
const metrics = new Metrics({ namespace: 'Zoo', serviceName: 'pets' })
const tracer = new Tracer({ serviceName: 'pets' })

const feed = async (event) => {
  logger.info('fed', { path: event.rawPath })
  metrics.addMetric('feedings', MetricUnit.Count, 1)
  tracer.putAnnotation('pet', 'dog')
  return { statusCode: 200, body: JSON.stringify({ fed: true, traced: tracer.isTracingEnabled() }) }
}

export const handler = middy(feed)
  .use(captureLambdaHandler(tracer))
  .use(logMetrics(metrics))
  .use(injectLambdaContext(logger))
