//go:build integration

package e2e

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An mqttLibrary is one that Fairlead's own language does not have, behind a program of testdata.
type mqttLibrary struct {
	name    string
	command []string
	setting string // of the environment
}

// mqttLibraries are Eclipse Paho for Python and MQTT.js, where test/deps/install puts them.
func mqttLibraries(t *testing.T) []mqttLibrary {
	t.Helper()
	paho, err := filepath.Glob("../../build/paho/*")
	if err != nil || len(paho) == 0 {
		t.Fatalf("Eclipse Paho for Python is not installed: run test/deps/install (%v)", err)
	}
	folder, err := filepath.Abs(paho[len(paho)-1])
	if err != nil {
		t.Fatal(err)
	}
	return []mqttLibrary{
		{"Paho", []string{"python3", "testdata/publish.py"}, "PYTHONPATH=" + folder},
		{"MQTT.js", []string{"node", "testdata/publish.js"}, "NODE_PATH=/usr/share/nodejs"},
	}
}

// A publisher is a client that publishes what it is told, on one connection.
type publisher struct {
	t     *testing.T
	input io.WriteCloser
	lines chan string
}

// connect logs a client in with version 4 (3.1.1) or 5, and waits until it is connected.
func (l mqttLibrary) connect(t *testing.T, address, version, user, secret string) *publisher {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), l.command[0], append(slices.Clone(l.command[1:]), host, port, version, user, secret)...)
	command.Env = append(command.Environ(), l.setting)
	p := &publisher{t: t, lines: make(chan string, 100)}
	if p.input, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		for all := bufio.NewScanner(output); all.Scan(); {
			p.lines <- all.Text()
		}
	}()
	t.Cleanup(func() {
		_ = p.input.Close()
		_ = command.Process.Kill() // it may have ended
		<-read
		if _ = command.Wait(); problems.Len() > 0 {
			t.Logf("%s: %s", l.name, problems.String())
		}
	})
	p.expect("connected 0")
	return p
}

// expect checks how that begins what the client says next.
func (p *publisher) expect(want string) {
	p.t.Helper()
	select {
	case got := <-p.lines:
		if !strings.HasPrefix(got, want) {
			p.t.Fatalf("the client says %q, want %q", got, want)
		}
	case <-time.After(waitLimit):
		p.t.Fatalf("the client does not say %q", want)
	}
}

// publish has the client publish, and checks the answer.
func (p *publisher) publish(topic, payload, want string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, topic+" "+payload+"\n"); err != nil {
		p.t.Fatal(err)
	}
	p.expect(want)
}

// end has the client disconnect.
func (p *publisher) end() {
	p.t.Helper()
	if err := p.input.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.expect("disconnected 0")
}
