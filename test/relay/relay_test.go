package relay

import (
	"net"
	"testing"
	"time"
)

// echo is a server that gives back every datagram.
func echo(t *testing.T) net.PacketConn {
	t.Helper()
	s, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := s.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = s.WriteTo(b[:n], from)
		}
	}()
	return s
}

func start(t *testing.T, f Faults) (*Relay, net.Conn) {
	t.Helper()
	r, err := Start(echo(t).LocalAddr().String(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	client, err := net.Dial("udp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return r, client
}

func answered(t *testing.T, client net.Conn) {
	t.Helper()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = client.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := client.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
}

func TestRelayPasses(t *testing.T) {
	r, client := start(t, Faults{})
	for range 10 {
		answered(t, client)
	}
	r.Move()
	answered(t, client)
	if got := r.Counts(); got != (Counts{Passed: 22}) {
		t.Errorf("%+v", got)
	}
}

func TestRelayIsBad(t *testing.T) {
	r, client := start(t, Faults{Lose: .3, Repeat: .3, Delay: .3, MaxDelay: time.Millisecond, Seed: 1})
	for range 200 {
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for {
		got := r.Counts()
		if got.Passed > 50 && got.Lost > 50 && got.Repeated > 30 && got.Delayed > 30 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", got)
		}
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	r.Set(Faults{})
	answered(t, client)
}
