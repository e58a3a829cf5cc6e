// openid-client finds the doors by itself, asks about tokens, and revokes one.
import { json } from 'node:stream/consumers'
import * as client from 'openid-client'

const told = await json(process.stdin)
const ways = { client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost }

async function discover(who) {
  const way = ways[told.way]?.(who.secret)
  return client.discovery(new URL(told.url), who.id, way ? undefined : who.secret, way, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
}

async function refusal(act) {
  try {
    await act()
    return null
  } catch (error) {
    const challenges = Array.isArray(error.cause) ? error.cause.map((each) => each.scheme) : undefined
    return { code: error.code, status: error.status, error: error.error, challenges }
  }
}

const service = await discover(told.service)
const owner = await discover(told.owner)
const wrong = await discover(told.wrong)
const low = await discover(told.low)

const answers = {}
for (const [name, token] of Object.entries(told.tokens)) {
  answers[name] = await client.tokenIntrospection(service, token)
}
await client.tokenRevocation(owner, told.victim)

console.log(
  JSON.stringify({
    issuer: service.serverMetadata().issuer,
    answers,
    after: await client.tokenIntrospection(service, told.victim),
    wrong: await refusal(() => client.tokenIntrospection(wrong, told.tokens.good)),
    wrongRevocation: await refusal(() => client.tokenRevocation(wrong, told.tokens.good)),
    low: await refusal(() => client.tokenIntrospection(low, told.tokens.good)),
  })
)
