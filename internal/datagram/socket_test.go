package datagram

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

func listen(t *testing.T, address string) *Socket {
	t.Helper()
	s, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// echo answers every datagram with its content.
func echo(s *Socket) {
	b := make([]byte, 100)
	for {
		n, from, err := s.Read(b)
		if err != nil {
			return
		}
		_ = s.Write(b[:n], from)
	}
}

// TestAnswersFromTheAddressThatWasAsked asks a socket of all addresses at one that the kernel would not choose itself. A
// connected client hears nothing that comes from another address.
func TestAnswersFromTheAddressThatWasAsked(t *testing.T) {
	f := func(listenAt, ask string) {
		t.Helper()
		s := listen(t, listenAt)
		go echo(s)
		to := netip.AddrPortFrom(netip.MustParseAddr(ask), s.Address().Port())
		client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		b := make([]byte, 100)
		n, err := client.Read(b)
		if err != nil || string(b[:n]) != "hello" {
			t.Errorf("listening at %s, asked at %s: %q, %v", listenAt, ask, b[:n], err)
		}
	}
	f("127.0.0.1:0", "127.0.0.1")
	f("0.0.0.0:0", "127.0.0.2")
	f(":0", "127.0.0.3")
	f(":0", "127.0.0.1")
	probe, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		t.Skipf("what follows needs IPv6: %v", err)
	}
	_ = probe.Close()
	f("[::]:0", "::1")
	f("[::1]:0", "::1")
}

func TestPeerOfOneAddressIsOnePeer(t *testing.T) {
	s := listen(t, ":0")
	client, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.Address().Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var peers [2]Peer
	for i := range peers {
		if _, err := client.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, peers[i], err = s.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if peers[0] != peers[1] || peers[0].String() != client.LocalAddr().String() || peers[0].Network() != "udp" {
		t.Errorf("peers %v and %v of %v", peers[0], peers[1], client.LocalAddr())
	}
}

func TestCloseEndsRead(t *testing.T) {
	s := listen(t, "127.0.0.1:0")
	ended := make(chan error, 1)
	go func() {
		_, _, err := s.Read(make([]byte, 10))
		ended <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read = %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	if s, err := Listen("127.0.0.1:none"); err == nil {
		_ = s.Close()
		t.Error("listens at a port without a number")
	}
}
