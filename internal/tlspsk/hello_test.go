package tlspsk

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/crypto/cryptobyte"
)

// An offered is what a ClientHello is made of.
type offered struct {
	version    uint16
	suites     []uint16
	versions   []uint16 // nil: no extension
	identities []offeredIdentity
}

type offeredIdentity struct {
	name string
	age  uint32
}

// message is a ClientHello.
func (o offered) message() []byte {
	var b cryptobyte.Builder
	b.AddUint8(clientHello)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(o.version)
		b.AddBytes(make([]byte, 32))
		b.AddUint8(0)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, suite := range o.suites {
				b.AddUint16(suite)
			}
		})
		b.AddUint8(1)
		b.AddUint8(0)
		b.AddUint16LengthPrefixed(o.extensions)
	})
	return b.BytesOrPanic()
}

func (o offered) extensions(b *cryptobyte.Builder) {
	if o.versions != nil {
		b.AddUint16(extensionSupportedVersions)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, version := range o.versions {
					b.AddUint16(version)
				}
			})
		})
	}
	if o.identities == nil {
		return
	}
	b.AddUint16(extensionPreSharedKey)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, identity := range o.identities {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(identity.name)) })
				b.AddUint32(identity.age)
			}
		})
	})
}

// records splits a message into records of so many bytes.
func records(message []byte, size int) (b []byte) {
	for piece := range slices.Chunk(message, size) {
		b = append(b, recordHandshake, 3, 1, byte(len(piece)>>8), byte(len(piece)))
		b = append(b, piece...)
	}
	return b
}

// TestOffers has ClientHellos tell whose they are.
func TestOffers(t *testing.T) {
	const ecdsa, aes, psk12, cbc = 0xC02B, 0x1301, 0x00A8, 0x008C
	both := []uint16{tls.VersionTLS13, tls.VersionTLS12}
	ticket := offeredIdentity{strings.Repeat("\xfe\x01@", 50), 4_000_000_000}
	external := offeredIdentity{"device@app", 0}
	for name, c := range map[string]struct {
		offered
		offers, only12 bool
		identity       string
	}{
		"1.2 with certificate":             {offered{0x0303, []uint16{ecdsa}, nil, nil}, false, false, ""},
		"1.2 with key":                     {offered{0x0303, []uint16{ecdsa, psk12}, nil, nil}, true, true, ""},
		"1.2 with key, suite that is old":  {offered{0x0303, []uint16{cbc}, nil, nil}, false, false, ""},
		"1.1 with key":                     {offered{0x0302, []uint16{psk12}, nil, nil}, false, false, ""},
		"1.3 with certificate":             {offered{0x0303, []uint16{aes}, both, nil}, false, false, ""},
		"1.3 with key":                     {offered{0x0303, []uint16{aes, psk12}, both, []offeredIdentity{external}}, true, false, "device@app"},
		"1.3 only with key":                {offered{0x0303, []uint16{aes}, both[:1], []offeredIdentity{external}}, true, false, "device@app"},
		"1.3, key for 1.2":                 {offered{0x0303, []uint16{aes, psk12}, both, nil}, true, true, ""},
		"1.3 only, key for 1.2":            {offered{0x0303, []uint16{aes, psk12}, both[:1], nil}, false, false, ""},
		"1.3 with ticket":                  {offered{0x0303, []uint16{aes}, both, []offeredIdentity{ticket}}, false, false, ""},
		"1.3 with ticket and key":          {offered{0x0303, []uint16{aes}, both, []offeredIdentity{ticket, external}}, true, false, "device@app"},
		"1.3 with two keys":                {offered{0x0303, []uint16{aes}, both, []offeredIdentity{{"a@b", 0}, external}}, true, false, "a@b"},
		"1.3 with an identity that is old": {offered{0x0303, []uint16{aes}, both, []offeredIdentity{{"device@app", 7}}}, true, false, "device@app"},
		"1.3 with an identity of bytes":    {offered{0x0303, []uint16{aes}, both, []offeredIdentity{{"\xff\x00", 0}}}, true, false, "\xff\x00"},
		"1.2 with an identity for 1.3":     {offered{0x0303, []uint16{ecdsa}, nil, []offeredIdentity{external}}, false, false, "device@app"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1 << 14} {
				b := records(c.message(), size)
				raw, h, err := readHello(iotest.OneByteReader(bytes.NewReader(b)))
				if err != nil || !bytes.Equal(raw, b) {
					t.Fatalf("records of %d bytes: %d of %d bytes, %v", size, len(raw), len(b), err)
				}
				if h.offers() != c.offers || c.offers && h.offersOnly12() != c.only12 || string(h.identity) != c.identity {
					t.Errorf("records of %d bytes: %+v", size, h)
				}
			}
		})
	}
}

// TestHelloIsBounded reads what is no ClientHello, or too much of one.
func TestHelloIsBounded(t *testing.T) {
	good := records(offered{version: 0x0303, suites: []uint16{0x00A8}}.message(), 1<<14)
	large := append([]byte{clientHello, 1, 0, 0}, make([]byte, 64<<10)...)
	for name, c := range map[string]struct {
		sent []byte
		want error
		most int // bytes that are read
	}{
		"HTTP":                 {[]byte("GET / HTTP/1.1\r\n\r\n"), errHello, firstRead},
		"MQTT":                 {[]byte("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"), errHello, firstRead},
		"another message":      {records([]byte{2, 0, 0, 1, 0}, 100), errHello, firstRead},
		"an empty record":      {[]byte{recordHandshake, 3, 1, 0, 0}, errHello, firstRead},
		"64 KiB":               {records(large, 1<<14), errHello, maxHello},
		"64 KiB, in fragments": {records(large, 1), errHello, maxHello},
		"cut":                  {good[:len(good)-1], io.EOF, firstRead},
		"no extensions at all": {records(bytes.Join([][]byte{{clientHello, 0, 0, 41, 3, 3}, make([]byte, 33), {0, 2, 0, 0xA8, 1, 0}}, nil), 100), nil, firstRead},
		"bytes too many":       {records(bytes.Join([][]byte{{clientHello, 0, 0, 42, 3, 3}, make([]byte, 33), {0, 2, 0, 0xA8, 1, 0, 0}}, nil), 100), errHello, firstRead},
	} {
		t.Run(name, func(t *testing.T) {
			raw, _, err := readHello(bytes.NewReader(c.sent))
			if !errors.Is(err, c.want) || len(raw) > c.most || cap(raw) > 2*maxHello || !bytes.HasPrefix(c.sent, raw) {
				t.Errorf("%d bytes, %v", len(raw), err)
			}
		})
	}
}

// TestOffersOfLibrary reads what crypto/tls sends.
func TestOffersOfLibrary(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _ = tls.Client(theirs, &tls.Config{ServerName: "localhost"}).Handshake() }()
	_, h, err := readHello(ours)
	if err != nil || h.offers() || !h.tls12 || !h.tls13 {
		t.Errorf("%+v, %v", h, err)
	}
}

// FuzzHello feeds what a client may send. Whoever splits it into pieces does not change what it says.
func FuzzHello(f *testing.F) {
	f.Add(records(offered{0x0303, []uint16{0x1301, 0x00A8}, []uint16{0x0304, 0x0303}, []offeredIdentity{{"device@app", 0}}}.message(), 5))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		raw, h, err := readHello(bytes.NewReader(sent))
		if len(raw) > maxHello || !bytes.HasPrefix(sent, raw) {
			t.Fatalf("%d bytes were read", len(raw))
		}
		_, again, errAgain := readHello(iotest.OneByteReader(bytes.NewReader(sent)))
		if (err == nil) != (errAgain == nil) || h.offers() != again.offers() || !bytes.Equal(h.identity, again.identity) {
			t.Fatalf("at once %+v, %v; by bytes %+v, %v", h, err, again, errAgain)
		}
	})
}

// FuzzKeyExchange feeds a ClientKeyExchange.
func FuzzKeyExchange(f *testing.F) {
	f.Add(records([]byte{clientKeyExchange, 0, 0, 5, 0, 3, 'd', '@', 'a'}, 2))
	f.Fuzz(func(t *testing.T, sent []byte) {
		m := handshakeMessage{kind: clientKeyExchange}
		whole, err := m.add(sent)
		if err != nil || !whole {
			return
		}
		if identity, ok := keyExchangeIdentity(m.body()); ok && len(identity) > len(m.body())-2 {
			t.Fatalf("an identity of %d bytes in %d", len(identity), len(m.body()))
		}
	})
}
