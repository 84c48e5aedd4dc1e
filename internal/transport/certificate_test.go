package transport

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A watched is a keyPair whose files are being watched, in a bubble where time passes by itself.
type watched struct {
	t    *testing.T
	pair *keyPair
	log  *observer.ObservedLogs
}

// after lets the next look at the files pass, and says which certificate is in use and what was logged about it.
func (w watched) after() (name string, logged []zapcore.Level) {
	w.t.Helper()
	time.Sleep(pollInterval) // in the bubble
	synctest.Wait()
	for _, entry := range w.log.TakeAll() {
		logged = append(logged, entry.Level)
	}
	certificate, err := w.pair.get(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return certificate.Leaf.Subject.CommonName, logged
}

func (w watched) expect(step, name string, levels ...zapcore.Level) {
	w.t.Helper()
	got, logged := w.after()
	if got != name {
		w.t.Errorf("%s: the certificate is %q, not %q", step, got, name)
	}
	if len(logged) != len(levels) || len(levels) > 0 && logged[0] != levels[0] {
		w.t.Errorf("%s: logged %v, want %v", step, logged, levels)
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t)
		f.issue("first")
		core, logs := observer.New(zap.DebugLevel)
		pair, err := loadKeyPair(f.certificate, f.keyFile, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		defer close(stop)
		go pair.watch(stop)
		w := watched{t, pair, logs}

		w.expect("nothing has changed", "first")
		f.issue("second")
		w.expect("both files have changed", "second", zap.InfoLevel)
		certificate, key := issue(t, "third")
		f.write(f.certificate, certificate)
		w.expect("the certificate has changed, but not its key", "second", zap.ErrorLevel)
		w.expect("still", "second")
		f.write(f.keyFile, key)
		w.expect("the key has changed too", "third", zap.InfoLevel)
		f.write(f.keyFile, []byte("no key"))
		w.expect("the key is broken", "third", zap.ErrorLevel)
		if err := os.Remove(f.certificate); err != nil {
			t.Fatal(err)
		}
		w.expect("the certificate is missing", "third", zap.ErrorLevel)
		w.expect("still missing", "third")
		f.issue("fourth")
		w.expect("all is well again", "fourth", zap.InfoLevel)
	})
}

// A mounted Secret is a link to a folder, which is replaced as a whole.
func TestMountedSecretIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		mount := func(version string) {
			content := filepath.Join(dir, version)
			if err := os.Mkdir(content, 0o700); err != nil {
				t.Fatal(err)
			}
			folder{t, filepath.Join(content, "tls.crt"), filepath.Join(content, "tls.key")}.issue(version)
			link := filepath.Join(dir, "..data")
			if err := os.Symlink(content, link+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(link+".new", link); err != nil {
				t.Fatal(err)
			}
		}
		mount("v1")
		core, logs := observer.New(zap.DebugLevel)
		pair, err := loadKeyPair(filepath.Join(dir, "..data", "tls.crt"), filepath.Join(dir, "..data", "tls.key"), zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		defer close(stop)
		go pair.watch(stop)
		w := watched{t, pair, logs}
		w.expect("first", "v1")
		mount("v2")
		w.expect("replaced", "v2", zap.InfoLevel)
	})
}

func TestFirstCertificateHasToBeGood(t *testing.T) {
	f := newFolder(t)
	if _, err := loadKeyPair(f.certificate, f.keyFile, zap.NewNop()); err == nil {
		t.Error("a missing certificate was loaded")
	}
	f.issue("good")
	_, other := issue(t, "other")
	f.write(f.keyFile, other)
	if _, err := loadKeyPair(f.certificate, f.keyFile, zap.NewNop()); err == nil {
		t.Error("a certificate with another's key was loaded")
	}
}
