package neighbour

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	lowestPort   = 15000
	portAttempts = 100
)

// FreePort returns a TCP port of 127.0.0.1 on which nobody listens, and that no other call has returned, in this process or, on Linux,
// in another one that still runs.
//
// The kernel does not reserve it, so it is drawn from below the range from which the kernel takes the ports of outgoing connections:
// there nobody takes it by accident while a killed server is away from it.
func FreePort() (int, error) {
	for range portAttempts {
		port := candidatePort()
		if port != 0 && !reserve(port) {
			continue
		}
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		chosen := listener.Addr().(*net.TCPAddr).Port
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("releasing port %d: %w", chosen, err)
		}
		return chosen, nil
	}
	return 0, fmt.Errorf("no free port of 127.0.0.1 in %d attempts", portAttempts)
}

// reserved holds the ports that this process has been given. It is a variable because all tests of a binary draw from the same ports.
var reserved struct {
	sync.Mutex
	ports map[int]io.Closer
}

// reserve makes a port this process's own until it ends. Processes tell each other by sockets in Linux's abstract namespace, which
// leave nothing behind.
func reserve(port int) bool {
	reserved.Lock()
	defer reserved.Unlock()
	if _, taken := reserved.ports[port]; taken {
		return false
	}
	var sign io.Closer
	if runtime.GOOS == "linux" {
		listener, err := net.Listen("unix", fmt.Sprintf("@fairlead-test-port-%d", port))
		if err != nil {
			return false
		}
		sign = listener
	}
	if reserved.ports == nil {
		reserved.ports = make(map[int]io.Closer)
	}
	reserved.ports[port] = sign
	return true
}

// candidatePort returns 0, which lets the kernel choose, where the outgoing range leaves no room below it.
func candidatePort() int {
	room := lowestEphemeralPort() - lowestPort
	if room < portAttempts {
		return 0
	}
	return lowestPort + rand.IntN(room)
}

func lowestEphemeralPort() int {
	const usual = 32768
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return usual
	}
	port, err := strconv.Atoi(fields[0])
	if err != nil {
		return usual
	}
	return port
}

// loopback is the address of a port of this machine.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// distinctPorts returns several free ports.
func distinctPorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	for len(ports) < count {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports, nil
}
