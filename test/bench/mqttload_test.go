package main

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
)

// fakeBroker admits one client and hands over what it acknowledges to answer.
func fakeBroker(t *testing.T, answer func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		var connect [512]byte
		if _, err := client.Read(connect[:]); err != nil {
			return
		}
		if _, err := client.Write([]byte{0x20, 2, 0, 0}); err != nil {
			return
		}
		answer(client)
	}()
	return listener.Addr().String()
}

// Publishers end, with an error, when acknowledgements stop or are wrong: nothing waits for ever, and nothing passes for a success.
func TestPublishersSayWhatFailed(t *testing.T) {
	answers := map[string]func(net.Conn){
		"closes":             func(net.Conn) {},
		"acknowledges wrong": func(c net.Conn) { _, _ = c.Write([]byte{mqttclient.Puback, 2, 0, 9}); _, _ = io.Copy(io.Discard, c) },
		"closes later": func(c net.Conn) {
			_, _ = io.CopyN(io.Discard, c, 500)
			_, _ = c.Write([]byte{mqttclient.Puback, 2, 0, 1})
		},
	}
	for name, answer := range answers {
		for _, rate := range []float64{0, 100_000} {
			t.Run(name, func(t *testing.T) {
				client, err := mqttclient.Dial(t.Context(), mqttclient.TCP(fakeBroker(t, answer)), "device", "", "")
				if err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				if err := newPublisher(client).run(now, now.Add(time.Hour), rate); err == nil || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("publishing ended with %v", err)
				}
			})
		}
	}
}
