//go:build integration

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/eclipse/paho.golang/paho"

	people "github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A realm is the one of testdata/realm.json at a Keycloak.
type realm struct {
	*neighbour.Keycloak
	t *testing.T
}

// startRealm starts a Keycloak until the test ends.
func startRealm(t *testing.T) *realm {
	t.Helper()
	document, err := os.ReadFile("testdata/realm.json")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	k, err := neighbour.StartKeycloak(ctx, string(document))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return &realm{k, t}
}

// settings has a gateway take the realm's tokens.
func (r *realm) settings() []string {
	const provider = "FAIRLEAD_USER_PROVIDERS_KEYCLOAK_"
	return []string{
		provider + "ISSUER=" + r.Issuer("drogue"), provider + "CLIENTS=drogue,brief", provider + "AUDIENCES=drogue", provider + "SKEW=0s",
	}
}

// token signs a user in. Tokens of the client drogue outlive the test, and those of brief expire after 30 s.
func (r *realm) token(client, user string) string {
	r.t.Helper()
	tokens, err := r.Tokens(bounded(r.t), "drogue", url.Values{
		"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {"hey-rodney"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	token, _ := tokens["access_token"].(string)
	return token
}

// owner gives an application to whom a token stands for.
func (r *realm) owner(a *tenant, token string) {
	r.t.Helper()
	var claims struct{ Sub string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil || claims.Sub == "" {
		r.t.Fatalf("%v: %s", err, payload)
	}
	a.own(&consuming{identity: &people.Identity{ID: claims.Sub}})
}

func TestConsumersWithOpenIDTokens(t *testing.T) {
	k := startRealm(t)
	g := ownIntegration(t, k.settings()...)
	t.Run("every way to show one", func(t *testing.T) { consumeWithTokens(t, k, g) })
	t.Run("expiry", func(t *testing.T) { expireTokens(t, k, g) })
}

// consumeWithTokens has users consume over every protocol, and show their token in every way that the protocol has.
func consumeWithTokens(t *testing.T, k *realm, g *consumerGateway) {
	a := newTenant(t)
	ada, bob := k.token("drogue", "ada"), k.token("drogue", "bob")
	k.owner(a, ada)
	a.device("device", password("p"))
	m := &matrix{t: t, of: map[string]map[string]shown{}}
	host, port, _ := net.SplitHostPort(g.mqtt)
	for name, login := range map[string][]string{
		"3.1.1, user name": {"-V", "311", "-u", ada},
		"3.1.1, password":  {"-V", "311", "-u", "", "-P", ada},
		"5, user name":     {"-V", "5", "-u", ada},
	} {
		follow(t, m.consumer("mqtt "+name, structuredEvent), "mosquitto_sub", append([]string{"-h", host, "-p", port, "-q", "1", "-t", "app/" + a.name}, login...)...)
	}
	take := m.consumer("mqtt 5, password", structuredEvent)
	passwordOnly(t, g, ada, a, func(p *paho.Publish) { take(string(p.Payload)) }, nil)
	webSocket(t, "ws://"+g.web+"/"+a.name, "Bearer "+ada, m.consumer("websocket, Bearer", structuredEvent))
	webSocket(t, "ws://"+g.web+"/"+a.name+"?token="+ada, "", m.consumer("websocket, query", structuredEvent))
	follow(t, m.consumer("sse, Bearer", streamedEvent), "curl", "-sN", "--noproxy", "*", "-H", "Authorization: Bearer "+ada, "http://"+g.web+"/"+a.name)
	follow(t, m.consumer("sse, query", streamedEvent), "curl", "-sN", "--noproxy", "*", "http://"+g.web+"/"+a.name+"?token="+ada)
	send := func(channel string) {
		accepted(t, channel, post(t, here.telemetry.URL()+"/v1/"+channel, "device@"+a.name+":p", matrixBody, mediaType("application/json")...))
	}
	m.await("hello", func() { send("hello") })
	send("telemetry")
	m.expect(shown{
		Type: "io.drogue.event.v1", Subject: "telemetry", Application: a.name, Device: "device", Sender: "device", Instance: "drogue",
		ContentType: "application/json", Data: map[string]any{"temperature": 21.5},
	})
	if got := curl(t, nil, "http://"+g.web+"/"+a.name+"?token="+bob); got.status != http.StatusNotFound {
		t.Errorf("bob, who is no member: %d %s", got.status, got.body)
	}
	forged := ada[:len(ada)-8] + "AAAAAAAA"
	if got := curl(t, nil, "http://"+g.web+"/"+a.name+"?token="+forged); got.status != http.StatusForbidden {
		t.Errorf("a forged signature: %d %s", got.status, got.body)
	}
}

// passwordOnly consumes over MQTT 5 with a token as password and no user name.
func passwordOnly(t *testing.T, g *consumerGateway, token string, a *tenant, take func(*paho.Publish), left func(*paho.Disconnect)) {
	t.Helper()
	link, err := net.Dial("tcp", g.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	client := connect5(t, link, "", token, func(config *paho.ClientConfig, packet *paho.Connect) {
		packet.UsernameFlag, packet.ClientID = false, "password-only"
		config.OnServerDisconnect = left
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			take(p.Packet)
			return true, nil
		}}
	})
	if suback, err := client.Subscribe(bounded(t), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "app/" + a.name, QoS: 1}}}); err != nil {
		t.Fatalf("%+v, %v", suback, err)
	}
}

// expireTokens has sessions end with their token, and clients told so over every protocol. Over a WebSocket one goes on with another token.
func expireTokens(t *testing.T, k *realm, g *consumerGateway) {
	a := newTenant(t)
	lasting := k.token("drogue", "ada")
	k.owner(a, lasting)
	a.device("device", password("p"))
	address := "://" + g.web + "/" + a.name

	refreshed, closed := make(chan string, 100), make(chan error, 1)
	stays := dialSocket(t, "ws"+address+"?token="+k.token("brief", "ada"))
	if err := stays.Write(bounded(t), websocket.MessageText, []byte(`{"RefreshAccessToken":"`+lasting+`"}`)); err != nil {
		t.Fatal(err)
	}
	go readSocket(stays, refreshed, make(chan error, 1))
	go readSocket(dialSocket(t, "ws"+address+"?token="+k.token("brief", "ada")), make(chan string, 100), closed)
	disconnected := make(chan *paho.Disconnect, 1)
	passwordOnly(t, g, k.token("brief", "ada"), a, func(*paho.Publish) {}, func(d *paho.Disconnect) { disconnected <- d })
	expired := k.token("brief", "ada")
	streaming := inBackground(exec.CommandContext(bounded(t), "curl", "-sN", "--noproxy", "*", "http"+address+"?token="+expired))

	var end websocket.CloseError
	if err := within(t, "the end of the WebSocket", closed); !errors.As(err, &end) || end.Code != websocket.StatusPolicyViolation || end.Reason != "the token has expired" {
		t.Errorf("the WebSocket ends with %v", err)
	}
	if d := within(t, "DISCONNECT", disconnected); d.ReasonCode != 0x98 || !strings.Contains(d.Properties.ReasonString, "expired") {
		t.Errorf("DISCONNECT %#x %+v", d.ReasonCode, d.Properties)
	}
	if output, err := streaming(); err != nil {
		t.Errorf("curl: %v, %s", err, output)
	}
	if got := curl(t, nil, "http"+address+"?token="+expired); got.status != http.StatusForbidden {
		t.Errorf("an expired token: %d %s", got.status, got.body)
	}
	if output, ok := mosquitto(t, "mosquitto_sub", g.mqtt, "-V", "5", "-u", expired, "-t", "app/"+a.name); ok || !strings.Contains(output, "Bad User Name or Password") {
		t.Errorf("mosquitto_sub with an expired token: %s", output)
	}
	accepted(t, "after", post(t, here.telemetry.URL()+"/v1/after", "device@"+a.name+":p", "x"))
	neighbour.Eventually(t, "an event on the refreshed WebSocket", func() bool {
		select {
		case text := <-refreshed:
			e, ok := structuredEvent(text)
			return ok && e.Subject == "after"
		default:
			return false
		}
	})
}

// within receives something that must come.
func within[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(waitLimit):
		t.Fatalf("%s did not come", what)
	}
	return v
}

func dialSocket(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(bounded(t), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// readSocket reads messages until the end, and tells why it ended.
func readSocket(conn *websocket.Conn, messages chan<- string, ended chan<- error) {
	for {
		_, text, err := conn.Read(context.Background())
		if err != nil {
			ended <- err
			return
		}
		messages <- string(text)
	}
}
