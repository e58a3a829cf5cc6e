// openapi-fetch with the types that openapi-typescript made of the portal's OpenAPI. The compiler reads it
// strictly before it runs: what the description promises is what is used here.
import { json } from 'node:stream/consumers'
import createClient from 'openapi-fetch'
import type { paths } from './schema.ts'

interface Who {
  id: string
  secret: string
}
interface Told {
  url: string
  username: string
  password: string
  tokens: Record<string, string>
  service: Who
  owner: Who
  victim: string
  wrong: Who
}

const told = (await json(process.stdin)) as Told

function clientOf(Authorization?: string) {
  return createClient<paths>({ baseUrl: told.url, headers: Authorization ? { Authorization } : {} })
}

const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
const basic = ({ id, secret }: Who) => 'Basic ' + Buffer.from(`${id}:${secret}`).toString('base64')

async function introspect(who: Who, token: string) {
  const { data, error, response } = await clientOf(basic(who)).POST('/api/introspect', {
    body: { token },
    headers: form,
  })
  if (error) return `${response.status} ${error.error}: ${error.code}`
  return data.active ? `${data.username} may ${data.scope}` : 'inactive'
}

async function live() {
  const { username, password } = told
  const signIn = await clientOf().POST('/api/signin', { body: { username, password } })
  if (signIn.error) throw new Error(signIn.error.message)
  const owner = clientOf(`Bearer ${signIn.data.token}`)
  const created = await owner.POST('/api/apikeys/jwt', { body: { name: 'typed', level: 3, expiresIn: 3600 } })
  if (created.error) throw new Error(created.error.message)
  const { key, secret } = created.data.apikey
  const script = clientOf(`Bearer ${secret}`)
  const listed = await owner.GET('/api/apikeys/jwt', { params: { query: { limit: 100 } } })
  const whoami = await script.GET('/api/whoami/key')
  const removed = await owner.DELETE('/api/apikeys/{key}/jwt', { params: { path: { key } } })
  const afterwards = await script.GET('/api/whoami/key')
  return {
    listed: listed.data?.apikeys.map((each) => each.name),
    whoami: whoami.data?.apikey.level,
    removed: removed.response.status,
    afterwards: afterwards.error?.error,
  }
}

const answers: Record<string, string> = {}
for (const [name, token] of Object.entries(told.tokens)) answers[name] = await introspect(told.service, token)
const revoked = await clientOf(basic(told.owner)).POST('/api/revoke', {
  body: { token: told.victim },
  headers: form,
})

console.log(
  JSON.stringify({
    live: await live(),
    answers,
    revoked: revoked.data?.result,
    after: await introspect(told.service, told.victim),
    wrong: await introspect(told.wrong, told.tokens.good ?? ''),
  })
)
