/** The page of a room: it talks to the room's actor by WebSocket, and comes back when that breaks off. */
export const page = (room: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(room)} · chat-room</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif }
  body { margin: 0 auto; max-width: 42rem; height: 100dvh; display: grid; grid-template-rows: auto 1fr auto }
  header { padding: .8rem 1rem; display: flex; justify-content: space-between; border-bottom: 1px solid #8884 }
  h1 { font-size: 1.1rem; margin: 0 }
  #people { opacity: .7 }
  #log { overflow-y: auto; list-style: none; margin: 0; padding: 1rem; display: grid; gap: .5rem; align-content: start }
  #log li { padding: .45rem .8rem; border-radius: .8rem; background: #8882; width: fit-content; max-width: 85% }
  #log li.own { background: #2563eb; color: #fff; justify-self: end }
  #log li.news { background: none; opacity: .6; font-size: .85rem; justify-self: center }
  #log b { display: block; font-size: .75rem; opacity: .75 }
  form { display: flex; gap: .5rem; padding: .8rem 1rem; border-top: 1px solid #8884 }
  input, button { font: inherit; padding: .5rem .8rem; border-radius: .6rem; border: 1px solid #8886 }
  input[name=name] { width: 7rem }
  input[name=text] { flex: 1 }
</style>
<header><h1>${escaped(room)}</h1><span id="people">connecting …</span></header>
<ul id="log" aria-live="polite"></ul>
<form>
  <input name="name" aria-label="Your name" maxlength="40" required>
  <input name="text" aria-label="Message" placeholder="Say something" maxlength="1000" autocomplete="off" required>
  <button>Send</button>
</form>
<script>
  const log = document.querySelector('#log'), people = document.querySelector('#people')
  const form = document.querySelector('form')
  form.name.value = new URLSearchParams(location.search).get('name') ?? 'guest-' + Math.floor(Math.random() * 900 + 100)
  const show = ({ kind, from, text }) => {
    const line = document.createElement('li')
    line.className = kind === 'news' ? 'news' : from === form.name.value ? 'own' : ''
    if (kind !== 'news') line.append(Object.assign(document.createElement('b'), { textContent: from }))
    line.append(text)
    log.append(line)
    log.scrollTop = log.scrollHeight
  }
  let socket, delay = 250
  function connect() {
    const address = new URL('/rooms/' + location.pathname.split('/').pop(), location.href.replace(/^http/, 'ws'))
    address.searchParams.set('name', form.name.value)
    socket = new WebSocket(address)
    socket.onopen = () => { delay = 250; log.replaceChildren() }
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data)
      if (message.kind === 'people') people.textContent = message.names.join(', ')
      else show(message)
    }
    socket.onclose = () => { people.textContent = 'connecting …'; setTimeout(connect, delay = Math.min(delay * 2, 5000)) }
  }
  form.onsubmit = (event) => {
    event.preventDefault()
    socket.send(JSON.stringify({ text: form.text.value }))
    form.text.value = ''
  }
  connect()
</script>
</html>`

const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
