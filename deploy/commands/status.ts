import type { Session } from '../session.ts'
import { askCaller, type CallerFacts } from '../caller.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { LISTS } from '../listings.ts'
import { isRecord, recordsIn, text } from '../shapes.ts'

/** `lambent status`: health, nodes and environments in a few lines. */
export async function status({ api, out }: Session): Promise<ExitCode> {
  const [health, nodes = [], environments = [], caller] = await Promise.all([
    api.json({ path: '/lambent/v1/health' }),
    LISTS.nodes?.read(api),
    LISTS.environments?.read(api),
    askCaller(api),
  ])
  await out.answer({ endpoint: api.endpoint, health, nodes, environments, caller }, () => {
    const facts = isRecord(health) ? health : {}
    const isolation = isRecord(facts.isolation) ? facts.isolation : {}
    const reasons = Array.isArray(facts.reasons) ? facts.reasons.map(String) : []
    const states = new Map<string, number>()
    for (const environment of environments) {
      const state = text(environment.state)
      states.set(state, (states.get(state) ?? 0) + 1)
    }
    const waiting = recordsIn(facts, 'waiting')
    const waitingCount = waiting.reduce((sum, one) => sum + Number(one.waiting), 0)
    const byState = [...states].map(([state, count]) => `${count} ${state}`).join(', ')
    return [
      `engine        ${text(facts.status)} at ${api.endpoint}, version ${text(facts.version)}`,
      ...reasons.map((reason) => `              ${reason}`),
      `up            ${Math.round(Number(facts.uptimeMs) / 1000)} s`,
      `access        ${access(caller)}${api.endpoint.startsWith('https:') ? ', TLS' : ''}`,
      `isolation     ${text(isolation.effective)} (${text(isolation.means)})`,
      `environments  ${byState || 'none'}`,
      `work          ${text(facts.inFlight)} running, ${waitingCount} waiting, ${text(facts.queuedEvents)} queued`,
      ...waiting.map((one) => `waiting       ${text(one.functionName)}: ${text(one.reason)}`),
      ...nodes.map(
        (node) => `node          ${(LISTS.nodes?.row(node, Date.now()) ?? []).join('  ').trimEnd()}`,
      ),
    ].join('\n')
  })
  return EXIT.ok
}

function access(caller: CallerFacts | 'refused' | 'unreachable'): string {
  if (typeof caller === 'string') return caller
  const { auth, account, key } = caller
  if (key === undefined) return auth
  return `${auth}; key ${key.name} of account ${account} may ${key.scopes.join(', ')}`
}
