// What the loaders of shared hosts do to an application, as far as it can tell: its file is loaded with `require`, the first
// `listen` becomes a socket of the host's, a second one throws, every visitor seems to come from this machine, and the end is
// told by closing the standard input. node passenger-loader.cjs ENTRY SOCKET
const { EventEmitter } = require('node:events')
const http = require('node:http')

const [entry, socketPath] = process.argv.slice(2)
process.env.IN_PASSENGER = '1'
const passenger = new EventEmitter()
globalThis.PhusionPassenger = passenger

const { listen } = http.Server.prototype
let listening = false
http.Server.prototype.listen = function (...given) {
  if (listening) throw new Error('http.Server.listen() was called more than once')
  listening = true
  const done = given.findLast(one => typeof one === 'function')
  this.on('connection', socket => Object.defineProperty(socket, 'remoteAddress', { get: () => '127.0.0.1' }))
  if (done !== undefined) this.once('listening', done)
  return listen.call(this, socketPath)
}

process.stdin.on('end', () => {
  if (passenger.listenerCount('exit') > 0) passenger.emit('exit')
  else if (process.listenerCount('message') > 0) process.emit('message', 'shutdown')
  else process.exit(0)
})
process.stdin.resume()
process.argv.splice(1, 3, entry)
require(entry)
