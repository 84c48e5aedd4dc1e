package main

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/devcloud"
)

// A try is a way for the example's device to prove itself, with command lines that send something.
type try struct {
	with     string
	commands []string
}

// tries are those for a process that serves the example. overTLS tells whether it takes pre-shared keys over TLS; over DTLS it does.
func tries(n devcloud.Note, overTLS bool) (list []try) {
	e := n.Example
	if e == nil {
		return nil
	}
	login := e.Username
	password := endpointCommands{n, "-u " + quoted(login+":"+e.Password), " -u " + quoted(login) + " -P " + quoted(e.Password), ""}
	list = append(list, try{"a password", password.list()})
	if e.Certificate != "" {
		certificate, key := quoted(e.Certificate), quoted(e.CertificateKey)
		pair := "--cert " + certificate + " --key " + key
		list = append(list, try{"a client certificate", endpointCommands{n, pair, " " + pair, "-c " + certificate + " -j " + key + " -R " + quoted(n.CA)}.list()})
	}
	if key, err := hex.DecodeString(e.Key); err == nil && len(key) > 0 {
		list = append(list, try{"a pre-shared key", keyCommands(n, key, overTLS)})
	}
	return slices.DeleteFunc(list, func(t try) bool { return len(t.commands) == 0 }) // nothing listens
}

// endpointCommands send something to each endpoint with TLS, with the arguments that prove the device to each kind of client; "" is for
// one that cannot.
type endpointCommands struct {
	n                devcloud.Note
	curl, mqtt, coap string
}

func (c endpointCommands) list() (lines []string) {
	ca := quoted(c.n.CA)
	if c.n.HTTPS != "" {
		lines = append(lines, curlLine("--cacert "+ca+" "+c.curl, exampleURL(c.n.HTTPS)))
	}
	if a := addressOf(c.n.MQTTS); a != nil {
		lines = append(lines, mosquittoLine(a, " --cafile "+ca+c.mqtt))
	}
	if a := addressOf(c.n.MQTTWSS); a != nil { // which mosquitto_pub cannot, unless it is built for it
		lines = append(lines, fmt.Sprintf("mqtt pub -C wss -h %s -p %d --ca %s%s -q 1 -t %s -m %s", a.Host, a.Port, ca, c.mqtt, exampleChannel, quoted(exampleBody)))
	}
	if c.n.COAPS != "" && c.coap != "" {
		lines = append(lines, coapLine(c.coap, c.n.COAPS))
	}
	return lines
}

// keyCommands send something with the pre-shared key of the example's device. No usual client has keys for WebSocket.
func keyCommands(n devcloud.Note, key []byte, overTLS bool) (lines []string) {
	identity := n.Example.Device + "@" + n.Example.Application
	if a := addressOf(n.HTTPS); a != nil && overTLS {
		request := fmt.Sprintf(`POST /v1/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s`,
			exampleChannel, len(exampleBody), exampleBody)
		lines = append(lines, fmt.Sprintf("printf %s | openssl s_client -quiet -connect %s -psk_identity %s -psk %s", quoted(request), hostPort(a), quoted(identity),
			hex.EncodeToString(key)))
	}
	if a := addressOf(n.MQTTS); a != nil && overTLS {
		lines = append(lines, mosquittoLine(a, mosquittoKey(identity, key)))
	}
	if n.COAPS != "" && printableKey(key) {
		lines = append(lines, coapLine(coapKey(identity, key), n.COAPS))
	}
	return lines
}

// addressOf is the host and the port of a URL; nil for none.
func addressOf(text string) *cloud.Address {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return nil
	}
	return &cloud.Address{Host: u.Hostname(), Port: uint16(port)}
}
