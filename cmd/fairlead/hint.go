package main

import (
	"context"
	"encoding/base64"
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
			lines = append(lines, fmt.Sprintf("curl -u %s -H 'Content-Type: application/json' -d %s %s",
				quoted(login+":"+password), quoted(exampleBody), quoted(strings.TrimRight(e.HTTP.URL, "/")+"/v1/"+exampleChannel+query)))
		}
		if e.MQTT != nil && e.MQTT.Host != "" {
			lines = append(lines, fmt.Sprintf("mosquitto_pub -h %s -p %d%s%s -P %s -q 1 -t %s -m %s",
				quoted(e.MQTT.Host), e.MQTT.Port, mqttTLS(e.MQTT), mqtt, quoted(password), exampleChannel, quoted(exampleBody)))
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

// pskLines use a pre-shared key over CoAP. MQTT is not among them: its gateway takes none.
func pskLines(device, key string) func(*cloud.Endpoints, string) []string {
	return func(e *cloud.Endpoints, application string) []string {
		text, err := base64.StdEncoding.DecodeString(key)
		switch {
		case e.CoAP == nil || !strings.HasPrefix(e.CoAP.URL, "coaps://"), err != nil:
			return nil
		case strings.Contains(device, "@"):
			return []string{"(the name of a device with @ is no identity of a key: give the device an alias, and use that)"}
		case strings.ContainsFunc(string(text), func(r rune) bool { return r < '!' || r > '~' }):
			return []string{"(coap-client takes keys of printable characters only; this one is for devices)"}
		}
		return []string{fmt.Sprintf("%s -m post -u %s -k %s -t 50 -e %s %s",
			coapClient(), quoted(device+"@"+application), quoted(string(text)), quoted(exampleBody), quoted(strings.TrimRight(e.CoAP.URL, "/")+"/v1/"+exampleChannel))}
	}
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
