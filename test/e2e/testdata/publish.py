"""Publishes each line of its input, "topic payload", with QoS 1, and prints what Eclipse Paho hears of it.

Arguments: host, port, version (4 or 5), user name, password. Prints "connected CODE", "acknowledged CODE" for each message in
order, and "disconnected CODE". Does not connect again. Ends with the connection, or disconnects at the end of its input.
"""

import os
import sys

import paho.mqtt.client as mqtt

host, port, version, user, password = sys.argv[1:]


def say(what, code):
    print(what, code.value, flush=True)


def disconnected(client, userdata, flags, code, properties):
    say("disconnected", code)
    os._exit(0)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="paho", protocol=int(version), reconnect_on_failure=False)
client.username_pw_set(user, password)
client.on_connect = lambda client, userdata, flags, code, properties: say("connected", code)
client.on_publish = lambda client, userdata, number, code, properties: say("acknowledged", code)
client.on_disconnect = disconnected
client.connect(host, int(port))
client.loop_start()
for line in sys.stdin:
    topic, payload = line.rstrip("\n").split(" ", 1)
    client.publish(topic, payload, qos=1)
client.disconnect()
client.loop_stop()
