// time limit: 60 s
import { createHash } from 'node:crypto'
import {
  CreateBucketCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  CreateFunctionCommand,
  GetFunctionCommand,
  PublishLayerVersionCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBucketServer } from '../../support/bucket-server.ts'
import { motoMissing, startMoto } from '../../support/moto.ts'
import { unlessMissing } from '../../support/skip.ts'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi, zipWith, type TestApi } from './start-api.ts'

const buckets = suite('Lambda API: code in buckets')

const HERE = { account: '000000000000', region: 'us-east-1' }
const FunctionName = 'orders'
const shaOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64')
const settled = (api: TestApi): Promise<void> =>
  within('a settled function', api.registry.ready(HERE, FunctionName))

buckets('functions and layers are made of objects, and of versions of them', async () => {
  await using store = await startBucketServer('code')
  await using api = await startApi({ environment: store.environment })
  const [old, now] = [zipWith('() => 1'), zipWith('() => 2')]
  store.buckets.get('code')?.set('a folder/code.zip', now).set('a folder/code.zip?versionId=v1', old)
  const S3 = { S3Bucket: 'code', S3Key: 'a folder/code.zip' }

  const created = await api.client.send(
    new CreateFunctionCommand({ ...NEW, Code: { ...S3, S3ObjectVersion: 'v1' } }),
  )
  await settled(api)
  const updated = await api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ...S3 }))
  const layer = await api.client.send(new PublishLayerVersionCommand({ LayerName: 'layer', Content: S3 }))
  await settled(api)
  const { Code } = await api.client.send(new GetFunctionCommand({ FunctionName }))
  const download = Buffer.from(await (await fetch(Code?.Location ?? '')).arrayBuffer())

  assert.is(created.CodeSha256, shaOf(old))
  assert.is(updated.CodeSha256, shaOf(now))
  assert.is(layer.Content?.CodeSha256, shaOf(now))
  assert.is(layer.Content?.CodeSize, now.length)
  assert.equal(download, now)
})

buckets('what S3 refuses is passed on in the words of the service', async () => {
  await using store = await startBucketServer('code')
  await using api = await startApi({ environment: store.environment })
  store.buckets.get('code')?.set('text', Buffer.from('no zip'))
  const create = (S3Bucket: string, S3Key: string): Promise<{ name: string; message: string }> =>
    refusalOf(api.client.send(new CreateFunctionCommand({ ...NEW, Code: { S3Bucket, S3Key } })))

  const refused = [await create('none', 'x'), await create('code', 'x'), await create('code', 'text')]

  assert.equal(
    refused.map(({ message }) => message),
    [
      'Error occurred while GetObject. S3 Error Code: NoSuchBucket. ' +
        'S3 Error Message: The specified bucket does not exist',
      'Error occurred while GetObject. S3 Error Code: NoSuchKey. ' +
        'S3 Error Message: The specified key does not exist.',
      'Could not unzip uploaded file. Please check your file, then try to upload again.',
    ],
  )
  assert.equal(new Set(refused.map(({ name }) => name)), new Set(['InvalidParameterValueException']))
})

buckets('a bucket that cannot be reached is a refusal with the reason', async () => {
  const nobody = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }
  await using api = await startApi({ environment: nobody })

  const { name, message } = await refusalOf(
    api.client.send(new CreateFunctionCommand({ ...NEW, Code: { S3Bucket: 'code', S3Key: 'x' } })),
  )

  assert.is(name, 'InvalidParameterValueException')
  assert.match(message, /^Error occurred while GetObject\. .*ECONNREFUSED/)
})

unlessMissing(buckets, motoMissing())('versions of objects come out of moto, too', async () => {
  await using moto = await startMoto()
  await using api = await startApi({ environment: moto.environment })
  const s3 = new S3Client({
    endpoint: moto.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  const [old, now] = [zipWith('() => 1'), zipWith('() => 2')]
  await s3.send(new CreateBucketCommand({ Bucket: 'code' }))
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await s3.send(new PutBucketVersioningCommand({ Bucket: 'code', VersioningConfiguration }))
  const put = (Body: Buffer): PutObjectCommand =>
    new PutObjectCommand({ Bucket: 'code', Key: 'code.zip', Body })
  const { VersionId } = await s3.send(put(old))
  await s3.send(put(now))
  s3.destroy()

  const Code = { S3Bucket: 'code', S3Key: 'code.zip', S3ObjectVersion: VersionId }
  const created = await api.client.send(new CreateFunctionCommand({ ...NEW, Code }))
  await settled(api)
  const updated = await api.client.send(
    new UpdateFunctionCodeCommand({ FunctionName, S3Bucket: 'code', S3Key: 'code.zip' }),
  )
  const missing = await refusalOf(
    api.client.send(new CreateFunctionCommand({ ...NEW, FunctionName: 'x', Code: { ...Code, S3Key: 'x' } })),
  )

  assert.is(created.CodeSha256, shaOf(old))
  assert.is(updated.CodeSha256, shaOf(now))
  assert.match(missing.message, /^Error occurred while GetObject\. S3 Error Code: NoSuch/)
})

buckets.run()
