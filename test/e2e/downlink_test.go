//go:build integration

package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/downlink"
	"github.com/fairlead/fairlead/test/authority"
)

// A thingsStack takes requests over TLS, and keeps them as they came over the connection.
type thingsStack struct {
	net.Listener
	authorities string // file that a client has to trust
	requests    chan string
}

func startThingsStack(t *testing.T) *thingsStack {
	t.Helper()
	ca := authority.New(t, "Stack")
	s := &thingsStack{authorities: filepath.Join(t.TempDir(), "stack.pem"), requests: make(chan string, 10)}
	if err := os.WriteFile(s.authorities, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Listener, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Issue("localhost", nil)}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	go s.serve()
	return s
}

func (s *thingsStack) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		go s.take(conn)
	}
}

// take answers every request of a connection as the stack does.
func (s *thingsStack) take(conn net.Conn) {
	defer conn.Close()
	var received bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(conn, &received))
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s.requests <- received.String()
		received.Reset()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	}
}

// next is the request that came.
func (s *thingsStack) next(t *testing.T) string {
	t.Helper()
	select {
	case got := <-s.requests:
		return got
	case <-bounded(t).Done():
		t.Fatal("the stack got no request")
		return ""
	}
}

// TestDownlinkByTheWebhook has a webhook say where downlinks for its device go, and holds the downlinks that commands become against what
// the stack reads.
func TestDownlinkByTheWebhook(t *testing.T) {
	stack := startThingsStack(t)
	key := "FAIRLEAD_DOWNLINK_KEY=" + downlink.NewKey()
	ttn, err := here.function(bounded(t), "ttn", append(here.registry(), key)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ttn.Kill)
	c := startCommand(t, key, "FAIRLEAD_OUTBOUND_ALLOW=127.0.0.1", "SSL_CERT_FILE="+stack.authorities)

	body := sample(t, "v3-uplink_message-drogue-2.json")
	a, device := network(t, body, ""), endDevice(t, body)
	send := func(name, payload string) answer {
		return post(t, c.URL()+"/api/command/v1alpha1/apps/"+a.name+"/devices/"+device+"?command="+name, "alice:"+c.secret, payload)
	}
	if got := send("port:15", "early"); got.status != http.StatusAccepted || got.header.Get(commands.HeaderReached) != "0" {
		t.Errorf("before the webhook: %+v", got)
	}
	path := "/api/v3/as/applications/a/webhooks/w/devices/" + device + "/down/push"
	accepted(t, "the webhook", post(t, ttn.URL()+"/ttn/v3", "ttn-gateway@"+a.name+":lora", body, append(mediaType(jsonContent),
		"--header", "X-Downlink-Push: https://"+stack.Addr().String()+path, "--header", "X-Downlink-Apikey: NNSXS.KEY")...))

	f := func(name, payload, downlinks string) {
		t.Helper()
		if got := send(name, payload); got.status != http.StatusOK || got.header.Get(commands.HeaderReached) != "1" {
			t.Fatalf("%s: %+v", name, got)
		}
		want := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: fairlead\r\nContent-Length: %d\r\nAuthorization: Bearer NNSXS.KEY\r\n"+
			"Content-Type: application/json\r\n\r\n%s", path, stack.Addr(), len(downlinks), downlinks)
		if got := stack.next(t); got != want {
			t.Errorf("%s: the stack got\n%q\nwant\n%q", name, got, want)
		}
	}
	f("port:15", "\x01\xff", `{"downlinks":[{"f_port":15,"frm_payload":"Af8="}]}`)
	// The payload is {"command":"set","command_payload":"aGk="}.
	f("set", "hi", `{"downlinks":[{"f_port":1,"frm_payload":"eyJjb21tYW5kIjoic2V0IiwiY29tbWFuZF9wYXlsb2FkIjoiYUdrPSJ9"}]}`)
}
