package neighbour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
)

// mosquittoPath is where Debian puts the broker, which is not in everybody's PATH.
const mosquittoPath = "/usr/sbin/mosquitto"

// A Mosquitto is a mosquitto that everybody may use without a password. It keeps its sessions and their messages through Stop, and loses
// what is new since the last Stop with Kill. It drops no message for a client that is away.
type Mosquitto struct {
	*Process
	port int
}

// A MosquittoOption changes how [StartMosquitto] runs the broker.
type MosquittoOption func(*mosquittoSettings)

type mosquittoSettings struct {
	lines []string
}

// MosquittoSetting adds a line to mosquitto.conf, after those of this package.
func MosquittoSetting(name, value string) MosquittoOption {
	return func(s *mosquittoSettings) { s.lines = append(s.lines, name+" "+value) }
}

// StartMosquitto starts a broker that knows nobody. The context bounds the start only.
func StartMosquitto(ctx context.Context, options ...MosquittoOption) (*Mosquitto, error) {
	path, err := findMosquitto()
	if err != nil {
		return nil, fmt.Errorf("starting mosquitto: %w", err)
	}
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("starting mosquitto: %w", err)
	}
	dir, err := newFolder("mosquitto")
	if err != nil {
		return nil, err
	}
	settings := mosquittoSettings{lines: []string{
		"user root", // or it would become another user, who cannot write to the folder
		fmt.Sprintf("listener %d 127.0.0.1", port),
		"allow_anonymous true",
		"persistence true",
		"persistence_location " + dir.path + "/",
		"max_queued_messages 0",
		"max_inflight_messages 0",
	}}
	for _, option := range options {
		option(&settings)
	}
	conf := dir.file("mosquitto.conf")
	if err := os.WriteFile(conf, []byte(strings.Join(settings.lines, "\n")+"\n"), 0o600); err != nil {
		_ = dir.remove()
		return nil, fmt.Errorf("starting mosquitto: %w", err)
	}
	m := &Mosquitto{port: port}
	m.Process, err = startIn(ctx, dir, Command{Name: "mosquitto", Path: path, Args: []string{"-c", conf}, Ready: m.ready})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func findMosquitto() (string, error) {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path, nil
	}
	if _, err := os.Stat(mosquittoPath); err != nil {
		return "", fmt.Errorf("mosquitto is %w", ErrNotInstalled)
	}
	return mosquittoPath, nil
}

// Host is the address without the port.
func (m *Mosquitto) Host() string { return "127.0.0.1" }

// Port is the port for MQTT over TCP.
func (m *Mosquitto) Port() int { return m.port }

// URL is the address of MQTT over TCP.
func (m *Mosquitto) URL() string { return "mqtt://" + loopback(m.port) }

// ready connects (MQTT 3.1.1 section 3.1) and waits for any answer.
func (m *Mosquitto) ready(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", loopback(m.port))
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	connect := "\x10\x11\x00\x04MQTT\x04\x02\x00\x05\x00\x05ready"
	if _, err := io.WriteString(conn, connect); err != nil {
		return err
	}
	var answer [4]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	const connack = 0x20
	if answer[0] != connack {
		return errors.New("CONNECT was answered with another packet than CONNACK")
	}
	return nil
}
