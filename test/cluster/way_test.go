//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/options"
	coapclient "github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/numbered"
)

// answerTimeout is when a device stops waiting for an answer.
const answerTimeout = time.Minute

// keyed is what a device has that logs in with the password, or over DTLS with the same as its key.
var keyed = `{"authentication":{"credentials":[{"pass":"` + password + `"},{"psk":{"key":"` + base64.StdEncoding.EncodeToString([]byte(password)) + `"}}]}}`

// A way is how devices reach Fairlead: it connects one.
type way func(ctx context.Context, device string) (link, error)

// A link is the connection of a device.
type link interface {
	// publish sends one message on the channel numbered and waits for the answer. With an error the connection is over.
	publish(m numbered.Message) (numbered.Answer, error)
	close()
}

// port is a Service of a gateway at a port of a node.
func port(t testing.TB, service, name string) string {
	t.Helper()
	node := kubectl(t, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	number := kubectl(t, "get", "service", service, "-o", `jsonpath={.spec.ports[?(@.name=="`+name+`")].nodePort}`)
	return net.JoinHostPort(node, number)
}

func mqttAddress(t testing.TB) string {
	t.Helper()
	return port(t, "fairlead-mqtt", "mqtt")
}

func overMQTT(t testing.TB, a *tenant) way {
	t.Helper()
	address := mqttAddress(t)
	return func(ctx context.Context, device string) (link, error) {
		as := a.as(device)
		client, err := mqttclient.Dial(ctx, mqttclient.TCP(address), as.user, as.user, as.secret)
		if err != nil {
			return nil, err
		}
		return mqttLink{client}, nil
	}
}

type mqttLink struct{ *mqttclient.Client }

func (l mqttLink) close() { _ = l.Close() }

func (l mqttLink) publish(m numbered.Message) (numbered.Answer, error) {
	if err := publish(l.Client, m); err != nil {
		return numbered.Unknown, err
	}
	return numbered.Acknowledged, nil
}

// publish sends one message and waits for its PUBACK.
func publish(client *mqttclient.Client, m numbered.Message) error {
	packet, at := mqttclient.AppendPublish(nil, "numbered", m.Body())
	binary.BigEndian.PutUint16(packet[at:], 1)
	if err := client.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if _, err := client.Write(packet); err != nil {
		return err
	}
	kind, _, err := client.ReadPacket()
	if err == nil && kind != mqttclient.Puback {
		err = fmt.Errorf("a packet of type %#x", kind)
	}
	return err
}

func overHTTP(t testing.TB, a *tenant) way {
	t.Helper()
	return overURL(a, address(t, "fairlead-telemetry"))
}

// overFront is the HTTP gateway.
func overFront(t testing.TB, a *tenant) way {
	t.Helper()
	return overURL(a, "https://"+port(t, "fairlead-http", "https"))
}

func overURL(a *tenant, url string) way {
	return func(_ context.Context, device string) (link, error) {
		return httpLink{url + "/v1/numbered", a.as(device)}, nil
	}
}

type httpLink struct {
	url string
	as  login
}

func (l httpLink) close() {}

func (l httpLink) publish(m numbered.Message) (numbered.Answer, error) {
	status, _, err := send(http.MethodPost, l.url, l.as, jsonContent, string(m.Body()))
	if err != nil {
		status = 0
	}
	return numbered.AnswerOf(status), nil
}

// overCoAP is DTLS with the key of the device.
func overCoAP(t testing.TB, a *tenant) way {
	t.Helper()
	address, err := net.ResolveUDPAddr("udp", port(t, "fairlead-coap", "coaps"))
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, device string) (link, error) {
		conn, err := dtls.DialWithOptions("udp", address,
			dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(password), nil }),
			dtls.WithPSKIdentityHint([]byte(a.as(device).user)), dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8))
		if err != nil {
			return nil, err
		}
		const handshake = 10 * time.Second
		ctx, cancel := context.WithTimeout(ctx, handshake)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return coapLink{coapdtls.Client(conn, options.WithErrors(func(error) {}), options.WithCloseSocket())}, nil
	}
}

type coapLink struct{ *coapclient.Conn }

func (l coapLink) close() { _ = l.Close() }

func (l coapLink) publish(m numbered.Message) (numbered.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	answer, err := l.Post(ctx, "/v1/numbered", message.AppJSON, bytes.NewReader(m.Body()))
	if err != nil {
		return numbered.Unknown, err
	}
	return numbered.AnswerOf(int(answer.Code()>>5) * 100), nil // its class is in the upper three bits
}
