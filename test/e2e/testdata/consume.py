"""Prints the payload of each message of one subscription, as Eclipse Paho gets it with QoS 1.

Arguments: host, port, version (4 or 5), client id, user name, password, topic filter. Ends with the connection.
"""

import os
import sys

import paho.mqtt.client as mqtt

host, port, version, identifier, user, password, topic = sys.argv[1:]


def connected(client, userdata, flags, code, properties):
    client.subscribe(topic, qos=1)


def subscribed(client, userdata, number, codes, properties):
    print("subscribed", *codes, file=sys.stderr, flush=True)
    if codes[0].is_failure:
        os._exit(1)


def disconnected(client, userdata, flags, code, properties):
    print("disconnected", code, file=sys.stderr, flush=True)
    os._exit(1)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=identifier, protocol=int(version), reconnect_on_failure=False)
client.username_pw_set(user, password)
client.on_connect = connected
client.on_subscribe = subscribed
client.on_message = lambda client, userdata, message: print(message.payload.decode(), flush=True)
client.on_disconnect = disconnected
client.connect(host, int(port))
client.loop_forever()
