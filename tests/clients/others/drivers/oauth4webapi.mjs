// oauth4webapi does the same, one request and one answer at a time.
import { json } from 'node:stream/consumers'
import * as oauth from 'oauth4webapi'

const told = await json(process.stdin)
const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(told.url)
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
)

function wayOf(who) {
  return told.way === 'client_secret_post'
    ? oauth.ClientSecretPost(who.secret)
    : oauth.ClientSecretBasic(who.secret)
}

async function introspect(who, token) {
  const client = { client_id: who.id }
  const answer = await oauth.introspectionRequest(server, client, wayOf(who), token, insecure)
  return oauth.processIntrospectionResponse(server, client, answer)
}

async function revoke(who, token) {
  const answer = await oauth.revocationRequest(server, { client_id: who.id }, wayOf(who), token, insecure)
  return oauth.processRevocationResponse(answer)
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

const answers = {}
for (const [name, token] of Object.entries(told.tokens)) {
  answers[name] = await introspect(told.service, token)
}
await revoke(told.owner, told.victim)

console.log(
  JSON.stringify({
    issuer: server.issuer,
    answers,
    after: await introspect(told.service, told.victim),
    wrong: await refusal(() => introspect(told.wrong, told.tokens.good)),
    wrongRevocation: await refusal(() => revoke(told.wrong, told.tokens.good)),
    low: await refusal(() => introspect(told.low, told.tokens.good)),
  })
)
