package opcua

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

func TestParseNodeRef(t *testing.T) {
	for text, want := range map[string]NodeRef{
		"i=85":                                  {Kind: 'i', Identifier: "85"},
		"i=0085":                                {Kind: 'i', Identifier: "85"},
		"nsu=http://opcfoundation.org/UA/;i=85": {Kind: 'i', Identifier: "85"},
		"nsu=urn:a;s=x;y=z":                     {Namespace: "urn:a", Kind: 's', Identifier: "x;y=z"},
		"nsu=urn:a%3Bb%25;s=":                   {Namespace: "urn:a;b%", Kind: 's'},
		"nsu=u;b=AAE=":                          {Namespace: "u", Kind: 'b', Identifier: "AAE="},
		"nsu=u;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63": {Namespace: "u", Kind: 'g', Identifier: "72962b91-fa75-4ae6-8d28-b404dc7daf63"},
	} {
		got, err := ParseNodeRef(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseNodeRef(got.String()); err != nil || again != got {
			t.Errorf("%s: written as %s", text, got)
		}
	}
	for text, complaint := range map[string]string{"": "is not of the form", "ns=2;s=a": "URI", "nsu=urn:a": "comes ;s=", "nsu=;s=a": "comes ;s=", "i=x": "number",
		"i=4294967296": "number", "x=1": "kinds", "g=1": "GUID", "b=!": "base64", "s=" + strings.Repeat("x", 5000): "bytes"} {
		if _, err := ParseNodeRef(text); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%.20s: %v, not %q", text, err, complaint)
		}
	}
}

func FuzzParseNodeRef(f *testing.F) {
	f.Add("nsu=urn:a%3B;s=x")
	f.Add("g=72962B91-FA75-4AE6-8D28-B404DC7DAF63")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseNodeRef(text)
		if err != nil {
			return
		}
		if again, err := ParseNodeRef(n.String()); err != nil || again != n {
			t.Errorf("%q is %+v, written %q and then %+v (%v)", text, n, n, again, err)
		}
		if id, err := newSpace([]string{StandardNamespace, n.Namespace}).node(n); err != nil {
			t.Errorf("%q is no node: %+v, %v", text, id, err)
		}
	})
}

// Messages are acknowledged in their order, those after a message that is not settled not yet.
func TestSettle(t *testing.T) {
	sub := newSubscription(1, time.Now(), 0, "urn:x")
	sub.open = []uint32{5, 6, 8}
	for _, step := range []struct {
		settle, stored uint32
		fresh          bool
		acks           []uint32
	}{{6, 0, true, nil}, {6, 0, false, nil}, {7, 0, false, nil}, {5, 6, true, []uint32{5, 6}}, {5, 6, false, []uint32{5, 6}}, {8, 8, true, []uint32{5, 6, 8}}} {
		if fresh := sub.settle(step.settle); fresh != step.fresh || sub.stored != step.stored || !slices.Equal(sub.acks, step.acks) {
			t.Errorf("after %d: %t, stored %d, to acknowledge %v", step.settle, fresh, sub.stored, sub.acks)
		}
	}
}

// After a transfer what is not stored is asked for again, and what is stored is acknowledged again.
func TestTransferred(t *testing.T) {
	for _, test := range []struct {
		stored, expected uint32
		available, acks  []uint32
		to               uint32 // 0: nothing is missing
	}{
		{0, 1, nil, nil, 0},
		{4, 5, []uint32{3, 4}, []uint32{3, 4}, 0},
		{4, 7, []uint32{4, 5, 6}, []uint32{4}, 0}, // 5 and 6 are still on their way to Kafka
		{4, 5, []uint32{7, 5, 6}, nil, 8},
		{1<<32 - 2, 1<<32 - 1, []uint32{1<<32 - 1, 1}, nil, 2},
	} {
		sub := newSubscription(1, time.Now(), 0, "urn:x")
		sub.stored, sub.expected = test.stored, test.expected
		sub.transferred(test.available)
		var to uint32
		if sub.gap != nil {
			to = sub.gap.to
		}
		if to != test.to || !slices.Equal(sub.acks, test.acks) {
			t.Errorf("%+v: a gap to %d, acknowledge %v", test, to, sub.acks)
		}
	}
}

func TestIDs(t *testing.T) {
	sub := newSubscription(7, time.Unix(5, 0), 0, "urn:x")
	again := newSubscription(7, time.Unix(5, 0), time.Second, "urn:x")
	n, same, other := &Notification{Sequence: 3, of: sub}, &Notification{Sequence: 3, of: again}, &Notification{Sequence: 4, of: sub}
	if n.ID(0) != same.ID(0) || n.ID(0) == n.ID(1) || n.ID(0) == other.ID(0) {
		t.Errorf("%s, %s, %s, %s", n.ID(0), same.ID(0), n.ID(1), other.ID(0))
	}
}

func TestConfiguration(t *testing.T) {
	good := EndpointConfig{Name: "a", URL: "opc.tcp://a", Folder: "x"}
	if c, err := good.withDefaults(); err != nil || c.Mode != ModeNone || c.Timeout != 10*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
	for complaint, change := range map[string]func(*EndpointConfig){
		"name":                          func(c *EndpointConfig) { c.Name = "a/b" },
		"url":                           func(c *EndpointConfig) { c.URL = "http://a" },
		"policy":                        func(c *EndpointConfig) { c.Policy = "Basic128Rsa15" },
		"mode":                          func(c *EndpointConfig) { c.Mode = ModeSign },
		"folder":                        func(c *EndpointConfig) { c.Folder = "" },
		"identity":                      func(c *EndpointConfig) { c.Identity = Identity{User: "a", CertificateFile: "b"} },
		"identity: a user and the file": func(c *EndpointConfig) { c.Identity = Identity{User: "a"} },
		"timeout":                       func(c *EndpointConfig) { c.Timeout = -1 },
		"window":                        func(c *EndpointConfig) { c.Window = -1 },
	} {
		c := good
		change(&c)
		if _, err := c.withDefaults(); err == nil || !strings.HasPrefix(err.Error(), complaint) {
			t.Errorf("%s: %v", complaint, err)
		}
	}
}

// builtins are data types by their number.
func builtin(t byte) *dataType {
	typ := binary.Type(t % (byte(binary.TypeDiagnosticInfo) + 1))
	if typ == binary.TypeNull {
		typ = binary.TypeVariant
	}
	return &dataType{name: typ.String(), builtin: typ}
}

// An array that would be much longer in JSON than it is takes neither its length nor many times its memory.
func TestLongArray(t *testing.T) {
	flags := make([]bool, 16<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text := Variant{v: binary.Variant{Type: binary.TypeVariant, Array: true, Value: []*binary.Variant{
		{Type: binary.TypeBoolean, Array: true, Value: flags}, {Type: binary.TypeBoolean, Array: true, Value: flags}}}}.AppendJSON(nil, Plain)
	runtime.ReadMemStats(&after)
	if n := len(text); n < MaxJSON || n > MaxJSON+1000 {
		t.Errorf("%d bytes of JSON", n)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16*MaxJSON {
		t.Errorf("%d bytes were allocated", used)
	}
}

// Whatever JSON is written to whatever type, it is refused or becomes a value that can be encoded and read.
func FuzzParseValue(f *testing.F) {
	for _, text := range []string{`1`, `-1.5e3`, `"x"`, `null`, `[1,2]`, `[[1,2],[3,4]]`, `{"UaType":6,"Value":[1,2,3,4],"Dimensions":[2,2]}`,
		`{"Text":"x"}`, `{"Value":{"UaType":1,"Value":true},"Status":{"Code":5}}`, `{"UaTypeId":"i=5","UaBody":"AA=="}`, `["a",1,{"UaType":1,"Value":true}]`,
		`{"SymbolicId":1,"InnerDiagnosticInfo":{}}`, `"2026-01-01T00:00:00Z"`, `"nsu=urn:a;s=b"`} {
		for typ := range byte(26) {
			f.Add([]byte(text), typ, int8(-2))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, typ byte, rank int8) {
		value, err := decodeJSON(text)
		if err != nil {
			return
		}
		p := &parser{space: newSpace([]string{StandardNamespace, "urn:a"})}
		v, err := p.value(value, builtin(typ), int32(rank))
		if err == nil {
			v, err = p.seal(v)
		}
		if err != nil {
			return
		}
		w := &binary.Writer{}
		w.Variant(v)
		r := binary.NewReader(w.Bytes(), 1<<26)
		if r.Variant(); r.Err() != nil {
			t.Errorf("%s as %s became %+v, which cannot be read: %v", text, builtin(typ).name, v, r.Err())
		}
	})
}

// Every value becomes JSON, and in the reversible form what it becomes makes the same value again.
func FuzzJSON(f *testing.F) {
	f.Add([]byte{0x8b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f})
	f.Add([]byte{0x0d, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte("R\x010\x00\x00"))
	f.Add([]byte{0x0c, 3, 0, 0, 0, 'a', 0xff, '"'})
	f.Add([]byte{0x98, 1, 0, 0, 0, 0x06, 1, 2, 3, 4})
	f.Add([]byte("RA0\x00\x00\x00\x0100")) // number 0 in a namespace that is not known, at another server
	f.Add([]byte{0xc6, 2, 0, 0, 0, 1, 2, 3, 4, 1, 2, 3, 4, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := binary.NewReader(b, 1<<20)
		s := newSpace([]string{StandardNamespace, "urn:a"})
		v := Variant{r.Variant(), s}
		if r.Err() != nil {
			return
		}
		text := v.AppendJSON(nil, Reversible)
		if !json.Valid(text) || !json.Valid(v.AppendJSON(nil, Plain)) {
			t.Fatalf("%x became %s", b, text)
		}
		value, err := decodeJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		p := &parser{space: s}
		again, err := p.value(value, builtin(byte(binary.TypeVariant)), -2)
		if err != nil {
			return // an index that has no namespace, for one, or a null element
		}
		if got := (Variant{again, s}).AppendJSON(nil, Reversible); string(got) != string(text) {
			t.Errorf("%s became %s", text, got)
		}
	})
}

// Ids are version 5 of a UUID, as uuid makes them.
func TestNotificationID(t *testing.T) {
	n := &Notification{Sequence: 4294967295, of: &subscription{origin: "urn:x/7/123"}}
	if got, want := n.ID(12), uuid.NewSHA1(uuid.NameSpaceURL, []byte("urn:x/7/123/4294967295/12")).String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Positions that become shorter leave nothing of the longer ones behind, nor of a file that nobody has read.
func TestPositionsAreWrittenOver(t *testing.T) {
	f := stateFiles{folder: t.TempDir(), name: "x"}
	if err := os.MkdirAll(filepath.Dir(f.positions()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.positions(), []byte(strings.Repeat("old ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []savedPositions{{1: 10, 2: 4294967295}, {1: 11}, {1: 4294967295, 2: 1, 3: 1}, {}} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.writePositions(text); err != nil {
			t.Fatal(err)
		}
		got := savedPositions{}
		if text, err = os.ReadFile(f.positions()); err == nil {
			err = json.Unmarshal(text, &got)
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}
