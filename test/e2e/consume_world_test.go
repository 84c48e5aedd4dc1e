//go:build integration

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	people "github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/gatewaybin"
)

// A consumerGateway is a process of the gateway for users who consume events.
type consumerGateway struct {
	*gatewaybin.Gateway
	mqtt, mqttWeb, web string // addresses; mqttWeb is for MQTT over WebSocket
}

// ownIntegration starts a gateway for one test.
func ownIntegration(t *testing.T, settings ...string) *consumerGateway {
	t.Helper()
	program, err := gatewayProgram()
	if err != nil {
		t.Fatal(err)
	}
	g := &consumerGateway{}
	for _, address := range []*string{&g.mqtt, &g.mqttWeb, &g.web} {
		if *address, err = gatewaybin.FreeAddress(); err != nil {
			t.Fatal(err)
		}
	}
	settings = append(append(gatewaySettings(),
		"FAIRLEAD_INTEGRATION_MQTT_TCP_ADDRESS="+g.mqtt, "FAIRLEAD_INTEGRATION_MQTT_WEB_SOCKET_ADDRESS="+g.mqttWeb,
		"FAIRLEAD_INTEGRATION_WEB_ADDRESS="+g.web,
	), settings...)
	if g.Gateway, err = program.Start(bounded(t), "integration", settings...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// A consuming is a user with an access token.
type consuming struct {
	name, secret, prefix string
	tokens               *people.Tokens
	identity             *people.Identity
}

// consumer makes a user with an access token.
func consumer(t *testing.T, name string) *consuming {
	t.Helper()
	c := &consuming{name: name, tokens: people.NewTokens(people.DefaultTokensConfig(), accounts.New(here.store)), identity: &people.Identity{ID: "id-" + name, Name: name}}
	token, secret, err := c.tokens.Create(bounded(t), c.identity, people.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c.secret, c.prefix = secret, token.Prefix
	return c
}

// own gives an application to a user.
func (a *tenant) own(c *consuming) {
	a.t.Helper()
	a.belong(func(t *store.Tenant) { t.Owner = c.identity.ID })
}

// publish lets everybody read an application.
func (a *tenant) publish() {
	a.t.Helper()
	a.belong(func(t *store.Tenant) { t.Members[people.Everyone] = string(people.RoleReader) })
}

// belong changes to whom an application belongs.
func (a *tenant) belong(change func(*store.Tenant)) {
	a.t.Helper()
	changes, err := here.store.UpdateTenant(bounded(a.t), a.name, store.Expect{}, func(t *store.Tenant) error {
		change(t)
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.tell(changes)
}

// follow runs a program until the test ends, and takes the lines that it prints.
func follow(t *testing.T, take func(line string), program string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if err := command.Wait(); t.Failed() { // it was killed
			t.Logf("%s: %v\n%s", command, err, problems.String())
		}
	})
	go func() {
		defer close(ended)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			take(scanner.Text())
		}
	}()
}

// A shown is what the matrix compares of an event, whatever mode it came in.
type shown struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Application string `json:"application"`
	Device      string `json:"device"`
	Sender      string `json:"sender"`
	Instance    string `json:"instance"`
	Schema      string `json:"dataschema"`
	ContentType string `json:"datacontenttype"`
	Data        any    `json:"data"`
}

// structuredEvent reads an event in the JSON format.
func structuredEvent(text string) (e shown, ok bool) {
	return e, json.Unmarshal([]byte(text), &e) == nil && e.ID != ""
}

// binaryEvent reads a message of version 5 as mosquitto_sub shows it with -F %J.
func binaryEvent(line string) (e shown, ok bool) {
	var m struct {
		Properties struct {
			ContentType string          `json:"content-type"`
			User        json.RawMessage `json:"user-properties"`
		} `json:"properties"`
		Payload any `json:"payload"`
	}
	if json.Unmarshal([]byte(line), &m) != nil || json.Unmarshal(m.Properties.User, &e) != nil {
		return e, false
	}
	e.ContentType, e.Data = m.Properties.ContentType, m.Payload
	return e, e.ID != ""
}

// webSocket reads messages until the test ends. An error ends it. authorization is the header of that name; "" sends none.
func webSocket(t *testing.T, url, authorization string, take func(string)) {
	t.Helper()
	header := http.Header{}
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	conn, _, err := websocket.Dial(bounded(t), url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	go func() {
		for {
			_, text, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			take(string(text))
		}
	}()
}
