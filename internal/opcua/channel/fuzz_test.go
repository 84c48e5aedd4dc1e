package channel

import (
	"encoding/binary"
	"net"
	"testing"

	"github.com/gopcua/opcua/uapolicy"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// opened is a channel without security that has a token and waits for answers, as far as its reading goes.
func opened(t testing.TB) *Channel {
	algorithm, err := uapolicy.Symmetric(NoSecurity().PolicyURI, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	c := &Channel{config: Config{Security: NoSecurity(), MaxMessage: 1 << 16}, conn: client, pending: map[uint32]Answer{}, done: make(chan struct{})}
	c.inbound.parts = map[uint32][]byte{}
	c.opening.Store(true)
	c.inbound.tokens.now = keys{token: 1, out: sealer{algorithm: algorithm}}
	for request := range uint32(4) {
		c.pending[request] = func(uabinary.Response, error) {}
	}
	return c
}

// Whatever a server sends, reading it does not panic.
func FuzzInboundFrames(f *testing.F) {
	f.Add([]byte("MSGF\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x8f\x01"))
	f.Add([]byte("MSGC\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"))
	f.Add([]byte("MSGA\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x80\xff\xff\xff\xff"))
	f.Add([]byte("OPNF\x00\x00\x00\x00\x01\x00\x00\x00\x2f\x00\x00\x00http://opcfoundation.org/UA/SecurityPolicy#None\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\xc1\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < frameHeader {
			return
		}
		c := opened(t)
		_ = c.inboundFrame(b)
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		_ = c.inboundFrame(b)
		if c.inbound.bytes > 2*c.config.MaxMessage {
			t.Errorf("%d bytes of messages that are not whole", c.inbound.bytes)
		}
	})
}

// What one side seals the other opens, and a changed chunk is refused.
func TestSeal(t *testing.T) {
	local, remote := []byte("0123456789abcdef0123456789abcdef"), []byte("fedcba9876543210fedcba9876543210")
	for _, policy := range []string{"Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"} {
		for _, encrypt := range []bool{false, true} {
			uri := "http://opcfoundation.org/UA/SecurityPolicy#" + policy
			client, err := uapolicy.Symmetric(uri, local, remote)
			if err != nil {
				t.Fatal(err)
			}
			server, err := uapolicy.Symmetric(uri, remote, local)
			if err != nil {
				t.Fatal(err)
			}
			out, in := sealer{client, true, encrypt}, sealer{server, true, encrypt}
			for length := range 100 {
				const header = 16
				plain := make([]byte, header+length)
				for i := range plain {
					plain[i] = byte(i)
				}
				sealed, err := out.seal(append([]byte{}, plain...), header)
				if err != nil {
					t.Fatal(err)
				}
				if size := binary.LittleEndian.Uint32(sealed[4:]); int(size) != len(sealed) {
					t.Fatalf("a chunk of %d bytes says %d", len(sealed), size)
				}
				opened, err := in.open(sealed, header)
				if err != nil || string(opened) != string(plain[header:]) {
					t.Fatalf("%s, encrypted %t: opened %x, %v", policy, encrypt, opened, err)
				}
				for _, at := range []int{header, len(sealed) - 1} {
					changed := append([]byte{}, sealed...)
					changed[at] ^= 1
					if _, err := in.open(changed, header); err == nil && length > 0 {
						t.Fatalf("a chunk that was changed at %d is taken", at)
					}
				}
				if _, err := in.open(sealed[:len(sealed)-16], header); err == nil {
					t.Fatal("a chunk that was cut off is taken")
				}
			}
		}
	}
}

func TestAddress(t *testing.T) {
	for url, want := range map[string]string{"opc.tcp://a": "a:4840", "opc.tcp://a:1/x": "a:1", "opc.tcp://[::1]:5": "[::1]:5", "http://a": "",
		"opc.tcp://": "", "a": "", "opc.tcp://a:b": ""} {
		if got, err := Address(url); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
}
