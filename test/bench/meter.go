package main

import (
	"io"
	"net"
	"sync/atomic"
)

// A meter passes connections on to a server, and counts the bytes that come from there.
type meter struct {
	net.Listener
	server string
	bytes  atomic.Int64
}

func startMeter(server string) (*meter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &meter{Listener: listener, server: server}
	go m.run()
	return m, nil
}

// Address is where clients connect.
func (m *meter) Address() string { return m.Addr().String() }

func (m *meter) run() {
	for {
		client, err := m.Accept()
		if err != nil {
			return
		}
		go m.pass(client)
	}
}

func (m *meter) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", m.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, io.TeeReader(server, m))
}

// Write counts.
func (m *meter) Write(b []byte) (int, error) {
	m.bytes.Add(int64(len(b)))
	return len(b), nil
}
