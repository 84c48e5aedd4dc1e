package neighbour

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAwait(t *testing.T) {
	calls := 0
	err := Await(t.Context(), "the third call", func(context.Context) error {
		calls++
		if calls < 3 {
			return errNotYet
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("after %d calls: %v", calls, err)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	given, last := errors.New("given up"), errors.New("still dark")
	err = Await(ctx, "dawn", func(context.Context) error {
		cancel(given)
		return last
	})
	if !errors.Is(err, given) || !errors.Is(err, last) || !strings.Contains(err.Error(), "dawn") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFreePort(t *testing.T) {
	ports, err := distinctPorts(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports {
		listener, err := net.Listen("tcp4", loopback(port))
		if err != nil {
			t.Errorf("port %d is not free: %v", port, err)
			continue
		}
		defer listener.Close()
	}
}

func TestUniqueName(t *testing.T) {
	t.Run("A name: with Ümläuts_and/slashes, that is far too long for an identifier of PostgreSQL", func(t *testing.T) {
		first, second := uniqueName(t), uniqueName(t)
		if first == second {
			t.Errorf("%q twice", first)
		}
		if len(first) > nameBytes {
			t.Errorf("%q has %d bytes, want at most %d", first, len(first), nameBytes)
		}
		if outside := strings.Trim(first, "abcdefghijklmnopqrstuvwxyz0123456789-"); outside != "" {
			t.Errorf("%q holds other characters: %q", first, outside)
		}
		if !strings.HasPrefix(first, "testuniquename-a-name") {
			t.Errorf("%q does not tell the test", first)
		}
	})
}

func TestTail(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := tail(path); got != want {
			t.Errorf("tail of %d bytes = %q, want %q", len(content), got, want)
		}
	}
	f("", "(its log is empty)")
	f("one\ntwo\n", "the end of its log:\none\ntwo")
	f(strings.Repeat("x", tailBytes)+"\nlast\n", "the end of its log:\nlast")
	if got := tail(filepath.Join(t.TempDir(), "none")); !strings.Contains(got, "cannot be read") {
		t.Errorf("tail of no file = %q", got)
	}
}

func TestKafkaVersion(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	version, err := pinnedVersion(filepath.Join(root, kafkaProject), "kafka")
	if err != nil {
		t.Fatal(err)
	}
	if major, _, found := strings.Cut(version, "."); !found || major < "4" {
		t.Errorf("Kafka %q, want 4.x", version)
	}
	empty := filepath.Join(t.TempDir(), "pom.xml")
	if err := os.WriteFile(empty, []byte("<project/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if version, err := pinnedVersion(empty, "kafka"); err == nil {
		t.Errorf("version %q of a project that names none", version)
	}
}

func TestClusterIDsAreFlagSafe(t *testing.T) {
	for range 1000 {
		if id := newClusterID(); len(id) != 22 || strings.HasPrefix(id, "-") {
			t.Fatalf("cluster id %q", id)
		}
	}
}
