import { systemClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { SegmentFolders } from '../../runtime/objects/segment-folders.ts'
import { systemRng } from '../../runtime/rng.ts'

/** An engine's folders, until it is killed. */
const [dataDirectory = '', memoryBase = ''] = process.argv.slice(2)
const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })
const folders = new SegmentFolders({ dataDirectory, memoryBase, rng: systemRng(), log })
process.send?.(folders.roomPath)
process.on('message', () => {})
