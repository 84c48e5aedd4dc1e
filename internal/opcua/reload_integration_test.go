//go:build integration

package opcua_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/opcuaserver"
	"github.com/fairlead/fairlead/test/relay"
)

// A reloading is a client that goes on running while the files of its folder change, and its connection is cut.
type reloading struct {
	*recorder
	t      *testing.T
	server *opcuaserver.Server
	relay  *relay.TCP
	config opcua.EndpointConfig
	warned *observer.ObservedLogs
}

// startReloading prepares a client of a server that lets in only clients that it trusts. The client does not trust the server yet.
func startReloading(t *testing.T, kind opcuaserver.Kind) *reloading {
	t.Helper()
	r := &reloading{recorder: &recorder{}, t: t, server: startServer(t, kind, opcuaserver.Options{Every: fast.Every, Strict: true})}
	r.relay, r.config = throughRelay(t, r.server)
	r.config.Policy = opcua.PolicyBasic256Sha256
	return r
}

// run runs the client until the end of the test. Its certificate is trusted by the server as "first".
func (r *reloading) run() {
	r.t.Helper()
	core, warned := observer.New(zapcore.WarnLevel)
	r.warned = warned
	runLogging(r.t, r.config, []opcua.Item{counter("Press1.Counter")}, r.recorder, zap.New(zapcore.NewTee(core, zaptest.NewLogger(r.t).Core())))
	if err := r.server.Trust("first", filepath.Join(r.config.Folder, "own", "certificate.der")); err != nil {
		r.t.Fatal(err)
	}
}

// awaitConnection waits for a connection with a number, and for values on it.
func (r *reloading) awaitConnection(number int) {
	r.t.Helper()
	eventually(r.t, "a connection", func() bool { return look(r.recorder, connections) == number })
	before := look(r.recorder, countOf)
	eventually(r.t, "values", func() bool { return look(r.recorder, countOf) > before+10 })
}

// awaitWarning cuts the connection, and waits until the log says a text.
func (r *reloading) awaitWarning(text string) {
	r.t.Helper()
	r.warned.TakeAll()
	r.relay.Cut()
	eventually(r.t, "a warning: "+text, func() bool {
		for _, entry := range r.warned.All() {
			if reason, _ := entry.ContextMap()["error"].(string); strings.Contains(reason, text) {
				return true
			}
		}
		return false
	})
}

// A client that is running gets a new certificate, and its old one is no longer let in: after the next cut it comes back with the
// new one, to its subscriptions if the server transfers them.
func TestNewOwnCertificate(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		r := startReloading(t, kind)
		r.run()
		eventually(t, "a refusal", func() bool { return len(files(t, r.config.Folder, "rejected")) > 0 })
		trustAll(t, r.config.Folder)
		r.awaitConnection(1)
		old := r.config
		old.Folder = t.TempDir()
		for _, name := range []string{"own", "trusted"} {
			copyFolder(t, filepath.Join(r.config.Folder, name), filepath.Join(old.Folder, name))
		}
		other := t.TempDir()
		if _, err := opcua.NewServer(opcua.EndpointConfig{Name: "other", URL: r.config.URL, Folder: other}, nil, nil, zap.NewNop()); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, filepath.Join(other, "own"), filepath.Join(r.config.Folder, "own"))
		if err := r.server.Trust("second", filepath.Join(other, "own", "certificate.der")); err != nil {
			t.Fatal(err)
		}
		if err := r.server.Distrust("first"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server to refuse the old certificate", func() bool {
			conn, err := opcua.Dial(t.Context(), old, zaptest.NewLogger(t))
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		r.relay.Cut()
		r.awaitConnection(2)
		if losses := look(r.recorder, lossesOf); kind == opcuaserver.NodeOPCUA && losses > 0 {
			t.Errorf("%d losses", losses)
		}
	})
}

// A server whose certificate comes into the folder of trusted ones while the client tries again is connected without a restart, and
// one whose certificate is taken out is refused at the next connection, with what to do.
func TestTrustChanges(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		r := startReloading(t, kind)
		r.run()
		r.awaitWarning("if that is the fingerprint that the server shows, move " + filepath.Join(r.config.Folder, "rejected"))
		trustAll(t, r.config.Folder)
		r.awaitConnection(1)
		trusted := files(t, r.config.Folder, "trusted")
		aside := filepath.Join(t.TempDir(), "aside")
		if err := os.Rename(trusted[0], aside); err != nil {
			t.Fatal(err)
		}
		r.awaitWarning("if that is the fingerprint that the server shows, move " + filepath.Join(r.config.Folder, "rejected"))
		if n := look(r.recorder, connections); n != 1 {
			t.Errorf("%d connections to a server that is not trusted any more", n)
		}
		if err := os.Rename(aside, trusted[0]); err != nil {
			t.Fatal(err)
		}
		r.awaitConnection(2)
	})
}

// A password that is put right while the client tries again lets it in without a restart, and the server is not left with a session
// of each attempt.
func TestNewPassword(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		r := startReloading(t, kind)
		file := passwordFile(t, "wrong")
		r.config.Identity = opcua.Identity{User: opcuaserver.User, PasswordFile: file}
		r.run()
		eventually(t, "a refusal", func() bool { return len(files(t, r.config.Folder, "rejected")) > 0 })
		trustAll(t, r.config.Folder)
		write := func(password string) {
			if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.awaitWarning("BadUserAccessDenied")
		write(opcuaserver.Password + "\n")
		r.awaitConnection(1)
		write("wrong again")
		r.awaitWarning("BadUserAccessDenied")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		r.awaitWarning("reading the user's password: open " + file)
		write(opcuaserver.Password)
		r.awaitConnection(2)
		if kind == opcuaserver.NodeOPCUA {
			c := r.config
			c.Policy, c.Identity = opcua.PolicyNone, opcua.Identity{}
			values, err := dial(t, c).Read(t.Context(), opcua.NodeRef{Kind: 'i', Identifier: "2277"})
			if err != nil {
				t.Fatal(err)
			}
			if sessions, ok := values[0].Value.Float(); !ok || sessions > 3 { // of the client, of this reading, and one that was cut
				t.Errorf("the server has %v sessions", sessions)
			}
		}
	})
}

// passwordFile is a file with a password.
func passwordFile(t *testing.T, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// files are those of a folder within another that a shell's * names: a file that is being written has a name with a dot before it.
func files(t *testing.T, folder, within string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, within, "[^.]*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// copyFolder copies files over those that are there.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t, from, "") {
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
