//go:build integration

package opcua_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// userCertificate makes a certificate of a person.
func userCertificate(t *testing.T) opcua.Identity {
	t.Helper()
	c, err := opcuaserver.MakeCertificate(t.TempDir(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	return opcua.Identity{CertificateFile: c.PEM, KeyFile: c.Key}
}

// Every policy and mode works with every identity, once the server is trusted.
func TestSecurity(t *testing.T) {
	identities := map[string]opcua.Identity{"anonymous": {}, "password": {User: opcuaserver.User, PasswordFile: passwordFile(t, opcuaserver.Password)},
		"certificate": userCertificate(t)}
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		base := config(t, server.URL())
		base.Policy = opcua.PolicyBasic256Sha256
		_, err := opcua.Dial(t.Context(), base, zaptest.NewLogger(t))
		if u := untrusted(err); u == nil || u.File == "" || !strings.Contains(err.Error(), "move "+u.File+" to "+filepath.Join(base.Folder, "trusted")) {
			t.Fatalf("a server that nobody trusts: %v", err)
		}
		trustAll(t, base.Folder)
		for _, policy := range []opcua.Policy{opcua.PolicyNone, opcua.PolicyBasic256Sha256, opcua.PolicyAes128Sha256RsaOaep, opcua.PolicyAes256Sha256RsaPss} {
			modes := []opcua.Mode{opcua.ModeSign, opcua.ModeSignAndEncrypt}
			if policy == opcua.PolicyNone {
				modes = []opcua.Mode{opcua.ModeNone}
			}
			for _, mode := range modes {
				for name, identity := range identities {
					if policy == opcua.PolicyNone && name == "certificate" && kind == opcuaserver.Asyncua {
						continue // it does not offer that
					}
					t.Run(string(policy)+"/"+string(mode)+"/"+name, func(t *testing.T) {
						c := base
						c.Policy, c.Mode, c.Identity = policy, mode, identity
						works(t, c)
					})
				}
			}
		}
		t.Run("wrong password", func(t *testing.T) {
			c := base
			c.Identity = opcua.Identity{User: opcuaserver.User, PasswordFile: passwordFile(t, "wrong")}
			if _, err := opcua.Dial(t.Context(), c, zaptest.NewLogger(t)); err == nil || !strings.Contains(err.Error(), "Bad") {
				t.Errorf("error %v", err)
			}
		})
	})
}

// works reads a node, over a channel whose keys are renewed meanwhile.
func works(t *testing.T, c opcua.EndpointConfig) {
	t.Helper()
	conn := dial(t, c)
	values, err := conn.Read(t.Context(), node("Press1.Counter"))
	if err != nil {
		t.Fatal(err)
	}
	if v := values[0]; !v.Status.Good() || v.Value.Type() != "UInt32" {
		t.Errorf("read %s with status %s", v.Value.Type(), v.Status)
	}
}

// The keys of a channel are renewed while it is used.
func TestRenewal(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		c := config(t, server.URL())
		c.Policy, c.TokenLifetime = opcua.PolicyAes256Sha256RsaPss, time.Second
		_, _ = opcua.Dial(t.Context(), c, zaptest.NewLogger(t))
		trustAll(t, c.Folder)
		r := &recorder{}
		run(t, c, []opcua.Item{counter("Press1.Counter")}, r)
		began := time.Now()
		eventually(t, "values after several renewals", func() bool {
			return time.Since(began) > 4*c.TokenLifetime && look(r, countOf) > 100
		})
		if n := look(r, connections); n != 1 {
			t.Errorf("%d connections", n)
		}
		contiguous(t, numbers(r, node("Press1.Counter")))
	})
}

// contiguous fails unless numbers follow each other without a gap.
func contiguous(t *testing.T, numbers []int) {
	t.Helper()
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			t.Fatalf("%d follows %d (place %d of %d)", numbers[i], numbers[i-1], i, len(numbers))
		}
	}
}
