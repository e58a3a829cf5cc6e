// FreeSewing's own client of its backend: the hook useBackend on top of RestClient, as its pages use them.
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

// The package is published as it is written; what makes its pages turns JSX into calls.
registerHooks({
  load(url, context, next) {
    if (!url.includes('/@freesewing/')) return next(url, context)
    const compilerOptions = { jsx: 'react', module: 'esnext', target: 'esnext' }
    const { outputText } = ts.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), {
      compilerOptions,
      fileName: 'page.jsx',
    })
    return { format: 'module', source: outputText, shortCircuit: true }
  },
})

const told = await json(process.stdin)
console.log = console.error // the client says much; the answer alone goes to standard output

const { createElement } = (await import('react')).default
const { renderToString } = await import('react-dom/server')
const { useBackend } = await import('@freesewing/react/hooks/useBackend')
const { BackendContextProvider } = await import('@freesewing/react/context/Backend')
const { RestClient } = await import('@freesewing/react/lib/RestClient')

/** What the hook gives to a page; once somebody is signed in, with their token. */
function backendOf(token) {
  let found
  const Page = () => {
    found = useBackend()
    return null
  }
  renderToString(createElement(BackendContextProvider, { url: told.url }, createElement(Page)))
  return token ? new found.constructor(token, told.url) : found
}

/** Sign up, and confirm with what the mail brought. */
async function arrive() {
  const stranger = backendOf()
  if (!told.confirmation) return { signUp: await stranger.signUp({ email: told.email }) }
  const confirm = await stranger.confirmSignup({ id: told.confirmation, consent: 1, check: false })
  return { confirm, account: await backendOf(confirm[1].token).reloadAccount() }
}

/** Sign in, and create, read, use and remove a key. */
async function work() {
  const said = {}
  const stranger = backendOf()
  const { username, password } = told
  said.wrong = await stranger.signIn({ username, password: 'not this one', token: '' })
  said.unnamed = await stranger.signIn({ password, token: '' })
  said.alone = await stranger.signIn({ username, password })
  said.signIn = await stranger.signIn({ username, password, token: '' })
  said.nobody = await stranger.getApikeys()

  const backend = backendOf(said.signIn[1].token)
  said.account = await backend.reloadAccount()
  said.change = await backend.updateAccount({ bio: 'I sew.' })
  said.names = {}
  for (const name of told.names) said.names[name] = (await backend.isUsernameAvailable(name)).available
  said.nameless = await backend.createApikey({ level: 3, expiresIn: 3600 })
  said.create = await backend.createApikey({ name: 'sewing box', level: 4, expiresIn: 3600 })
  const { key, secret } = said.create[1].apikey
  said.list = await backend.getApikeys()
  said.read = await backend.getApikey(key)

  const Authorization = 'Basic ' + Buffer.from(`${key}:${secret}`).toString('base64')
  const script = new RestClient(told.url, { Authorization })
  said.whoami = await script.get('/whoami/key')
  said.ownAccount = await script.get('/account/key')
  said.child = await script.post('/apikeys/key', { name: 'child', level: 4, expiresIn: 7200 })

  said.remove = await backend.removeApikey(key)
  said.afterwards = [await script.get('/whoami/key'), await backend.getApikey(key)]
  return said
}

process.stdout.write(JSON.stringify(await (told.email ? arrive() : work())))
