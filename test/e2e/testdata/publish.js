// Publishes each line of its input, "topic payload", with QoS 1, and prints what MQTT.js hears of it.
//
// Arguments: host, port, version (4 or 5), user name, password. Prints "connected CODE", "acknowledged CODE" for each message in
// order, and "disconnected CODE". Does not connect again. Ends with the connection, or disconnects at the end of its input.
'use strict'
const { createInterface } = require('readline')
const { connect } = require('mqtt')

const [host, port, version, username, password] = process.argv.slice(2)
const client = connect({ host, port, protocolVersion: Number(version), username, password, clientId: 'mqttjs', reconnectPeriod: 0 })
let reason = 0
client.on('connect', (packet) => console.log('connected', packet.reasonCode ?? packet.returnCode))
client.on('error', (error) => { reason = error.code })
client.on('disconnect', (packet) => { reason = packet.reasonCode })
client.on('close', () => {
  console.log('disconnected', reason)
  process.exit()
})
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const at = line.indexOf(' ')
    let answered = false // MQTT.js 4 calls back twice after an error
    client.publish(line.slice(0, at), line.slice(at + 1), { qos: 1 }, (error) => {
      if (!answered && client.connected) console.log('acknowledged', error ? error.code : 0)
      answered = true
    })
  })
  .on('close', () => client.end())
