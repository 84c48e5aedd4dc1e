package datagram

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// socketBuffer is what the kernel is asked to hold for a socket in each direction, in bytes; it may give less.
	socketBuffer = 4 << 20

	// controlBytes has room for the control messages of one datagram.
	controlBytes = 128
)

// A Peer is who is on the other side of a socket. It is comparable.
type Peer struct {
	Remote netip.AddrPort
	// Local is the address at which the peer reaches us; not valid where the socket has only one address.
	Local netip.Addr
}

// Network and String make a Peer a net.Addr, that of the other side.
func (Peer) Network() string { return "udp" }

func (p Peer) String() string { return p.Remote.String() }

// A Socket sends and receives datagrams. Write may be called from any goroutine, Read from one.
type Socket struct {
	conn    *net.UDPConn
	address netip.AddrPort
	control control // nil unless the socket listens at all addresses
	oob     []byte
}

// A control reads and writes the control message that holds our own address.
type control interface {
	local(oob []byte) netip.Addr
	source(local netip.Addr) []byte
}

// Listen opens a socket at host:port. Without a host it listens at all addresses of the machine.
func Listen(address string) (*Socket, error) {
	var config net.ListenConfig
	packets, err := config.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return nil, fmt.Errorf("opening a UDP socket: %w", err)
	}
	conn := packets.(*net.UDPConn) //nolint:forcetypeassert // that is what "udp" makes
	s := &Socket{conn: conn, address: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	if !s.address.Addr().IsUnspecified() {
		return s, nil
	}
	if s.control, err = openControl(conn, s.address.Addr()); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("asking for the addresses of datagrams: %w", err)
	}
	s.oob = make([]byte, controlBytes)
	return s, nil
}

// openControl has the kernel tell the destination of every datagram.
func openControl(conn *net.UDPConn, address netip.Addr) (control, error) {
	if address.Is4() {
		return control4{}, ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true)
	}
	return control6{}, ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true)
}

// Address is where the socket listens.
func (s *Socket) Address() netip.AddrPort { return s.address }

// Read waits for a datagram that was sent to one of our own addresses. One that is longer than b is cut off, so that
// whoever has a limit gives one byte more.
func (s *Socket) Read(b []byte) (n int, from Peer, err error) {
	for {
		n, oobn, _, remote, err := s.conn.ReadMsgUDPAddrPort(b, s.oob)
		if err != nil {
			return 0, Peer{}, fmt.Errorf("reading a datagram: %w", err)
		}
		from = Peer{Remote: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())}
		if s.control == nil {
			return n, from, nil
		}
		from.Local = s.control.local(s.oob[:oobn])
		if from.Local.IsValid() && !from.Local.Unmap().IsMulticast() && from.Local.Unmap() != broadcast {
			return n, from, nil
		}
	}
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Write sends a datagram.
func (s *Socket) Write(b []byte, to Peer) error {
	var oob []byte
	if s.control != nil && to.Local.IsValid() {
		oob = s.control.source(to.Local)
	}
	if _, _, err := s.conn.WriteMsgUDPAddrPort(b, oob, to.Remote); err != nil {
		return fmt.Errorf("sending a datagram: %w", err)
	}
	return nil
}

// Close closes the socket. A Read under way returns an error.
func (s *Socket) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("closing a UDP socket: %w", err)
	}
	return nil
}

type control4 struct{}

func (control4) local(oob []byte) netip.Addr {
	var m ipv4.ControlMessage
	if m.Parse(oob) != nil {
		return netip.Addr{}
	}
	address, _ := netip.AddrFromSlice(m.Dst)
	return address
}

func (control4) source(local netip.Addr) []byte {
	return (&ipv4.ControlMessage{Src: local.AsSlice()}).Marshal()
}

// control6 is for sockets of both versions: an IPv4 address appears mapped into IPv6, and leaves in a message of IPv4.
type control6 struct{}

func (control6) local(oob []byte) netip.Addr {
	var m ipv6.ControlMessage
	if m.Parse(oob) != nil {
		return netip.Addr{}
	}
	address, _ := netip.AddrFromSlice(m.Dst)
	return address
}

func (control6) source(local netip.Addr) []byte {
	if local.Unmap().Is4() {
		return control4{}.source(local.Unmap())
	}
	return (&ipv6.ControlMessage{Src: local.AsSlice()}).Marshal()
}
