package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/cloud"
)

// mqttPlainPort is that of MQTT without TLS.
const mqttPlainPort = 1883

// Examples of what a device sends.
const (
	exampleBody    = `{"temperature": 21.5}`
	exampleChannel = "telemetry"
)

// hint prints command lines with which somebody can try a credential right away. They are a help only: what is not known of
// the installation is left out.
func (o *ofDevice) hint(ctx context.Context, t terminal, lines func(*cloud.Endpoints, string) []string) {
	session, err := o.session()
	if err != nil {
		return
	}
	_, application, err := o.connect()
	if err != nil {
		return
	}
	endpoints, err := cloud.Discover(ctx, session.Context().URL)
	if err != nil {
		return
	}
	commands := lines(endpoints, application)
	if len(commands) == 0 {
		return
	}
	fmt.Fprint(t.err, "\nTo try it:\n\n")
	for _, command := range commands {
		fmt.Fprintln(t.err, "  "+printable(command))
	}
	tls := func(command string) bool {
		return strings.Contains(command, "https://") || strings.Contains(command, "--tls-")
	}
	asked := func(command string) bool { return strings.Contains(command, " "+serverAuthority) }
	told := func(command string) bool { return strings.Contains(command, serverAuthority) }
	switch {
	case slices.ContainsFunc(commands, asked):
		fmt.Fprintf(t.err, "\n%s is the authority that the servers' certificates come from.\n", serverAuthority)
	case endpoints.LocalCerts && slices.ContainsFunc(commands, tls) && !slices.ContainsFunc(commands, told):
		fmt.Fprintln(t.err, "\nThe certificates are of this installation's own authority, which clients have to be told of.")
	}
	fmt.Fprintln(t.err)
}

// passwordLines use a password over HTTP and MQTT. A user name, if there is one, needs the name of the device beside it.
func passwordLines(device, user, password string) func(*cloud.Endpoints, string) []string {
	return func(e *cloud.Endpoints, application string) (lines []string) {
		login, query, mqtt := encodedName(device)+"@"+application, "", ""
		if user != "" {
			login = encodedName(user) + "@" + application
			query = "?device=" + url.QueryEscape(device)
			mqtt = " -u " + quoted(user) + " -i " + quoted(encodedName(device)+"@"+application)
		} else {
			mqtt = " -u " + quoted(login)
		}
		if e.HTTP != nil && e.HTTP.URL != "" {
			lines = append(lines, curlLine("-u "+quoted(login+":"+password), exampleURL(e.HTTP.URL)+query))
		}
		if e.MQTT != nil && e.MQTT.Host != "" {
			lines = append(lines, mosquittoLine(e.MQTT, mqttTLS(e.MQTT)+mqtt+" -P "+quoted(password)))
		}
		return lines
	}
}

// mqttTLS is what mosquitto_pub needs to be told where an address is one for TLS, which discovery does not say.
func mqttTLS(a *cloud.Address) string {
	host, err := netip.ParseAddr(a.Host)
	if a.Port == mqttPlainPort || a.Host == "localhost" || (err == nil && host.IsLoopback()) {
		return ""
	}
	return " --tls-use-os-certs"
}

// pskLines use a pre-shared key over CoAP and MQTT. preferred tells whether it is the one of the device's keys that handshakes are about.
func pskLines(device, key string, preferred bool) func(*cloud.Endpoints, string) []string {
	return func(e *cloud.Endpoints, application string) (lines []string) {
		if !preferred {
			return []string{"(a handshake is about one key, and the device has another that comes first: the one that became valid last, or the",
				"first of those without a validity. The new one does with --for 8760h, or once the other is taken away)"}
		}
		text, err := base64.StdEncoding.DecodeString(key)
		overCoAP := e.CoAP != nil && strings.HasPrefix(e.CoAP.URL, "coaps://")
		address, _ := overTLS(e, "")
		switch {
		case err != nil || !overCoAP && address == nil:
			return nil
		case strings.Contains(device, "@"):
			return []string{"(the name of a device with @ is no identity of a key: give the device an alias, and use that)"}
		}
		identity := device + "@" + application
		switch {
		case overCoAP && !printableKey(text):
			lines = append(lines, "(coap-client takes keys of printable characters only; this one is for devices)")
		case overCoAP:
			lines = append(lines, coapLine(coapKey(identity, text), e.CoAP.URL))
		}
		if address != nil {
			lines = append(lines, mosquittoLine(address, mosquittoKey(identity, text)), "(over MQTT with gateways that are built with OpenSSL)")
		}
		return lines
	}
}

// printableKey tells whether a key can be written in an argument.
func printableKey(key []byte) bool {
	return !strings.ContainsFunc(string(key), func(r rune) bool { return r < '!' || r > '~' })
}

// What the clients are told of a pre-shared key.
func coapKey(identity string, key []byte) string {
	return "-u " + quoted(identity) + " -k " + quoted(string(key))
}
func mosquittoKey(identity string, key []byte) string {
	return " --psk-identity " + quoted(identity) + " --psk " + hex.EncodeToString(key)
}

// exampleURL is where a message is posted, below an endpoint.
func exampleURL(base string) string { return strings.TrimRight(base, "/") + "/v1/" + exampleChannel }

// curlLine posts a message.
func curlLine(arguments, url string) string {
	return fmt.Sprintf("curl %s -H 'Content-Type: application/json' -d %s %s", arguments, quoted(exampleBody), quoted(url))
}

// mosquittoLine publishes a message. Arguments begin with a space, if there are any.
func mosquittoLine(a *cloud.Address, arguments string) string {
	return fmt.Sprintf("mosquitto_pub -h %s -p %d%s -q 1 -t %s -m %s", quoted(a.Host), a.Port, arguments, exampleChannel, quoted(exampleBody))
}

// coapLine posts a message to an endpoint.
func coapLine(arguments, base string) string {
	return fmt.Sprintf("%s -m post %s -t 50 -e %s %s", coapClient(), arguments, quoted(exampleBody), quoted(exampleURL(base)))
}

// coapClient is libcoap's client, which Debian calls after the library that it is built with.
func coapClient() string {
	for _, name := range []string{"coap-client", "coap-client-openssl", "coap-client-gnutls"} {
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	return "coap-client"
}

// encodedName writes a name as it stands before the @ of a log-in.
func encodedName(name string) string {
	return strings.NewReplacer("%", "%25", "@", "%40", ":", "%3A").Replace(name)
}

// quoted writes an argument for a shell, if it needs that.
func quoted(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// hostPort is an address of discovery in one text.
func hostPort(a *cloud.Address) string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }
