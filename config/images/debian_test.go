package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// waitLimit ends a test that fails.
const waitLimit = 2 * time.Minute

// debianPackages is where test/deps/install puts the packages.
const debianPackages = "../../build/openssl-packages"

// platform is that of this machine, for which alone programs are linked with OpenSSL.
const platform = "linux/" + runtime.GOARCH

// pushOpenSSL makes the base with OpenSSL, and returns its image for this machine and its bill of materials.
func pushOpenSSL(t *testing.T, repository, layout string) (v1.Image, []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bill.json")
	if err := run([]string{"openssl", repository, "v1", "1700000000", file, layout, debianPackages, platform}); err != nil {
		t.Fatalf("%v; has test/deps/install been run?", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(repository + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(reference)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("%+v, %v", manifest, err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image, text
}

// unpack writes the files of an image into a folder.
func unpack(t *testing.T, image v1.Image, root string) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		err := walk(layer, func(h *tar.Header, content io.Reader) error {
			path := filepath.Join(root, h.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			switch h.Typeflag {
			case tar.TypeSymlink:
				return os.Symlink(h.Linkname, path)
			case tar.TypeReg:
				text, err := io.ReadAll(content)
				if err != nil {
					return err
				}
				return os.WriteFile(path, text, os.FileMode(h.Mode))
			default:
				return errors.New(h.Name + " is no file")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// build builds a program with pre-shared keys, as ko does, into a folder.
func build(t *testing.T, into, program string) {
	t.Helper()
	command := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-tags", "psk", "-ldflags", "-s -w", "-o", into, "./cmd/"+program)
	command.Dir, command.Env = "../..", append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// inside is a program with a folder as the root of its file system, as a container has one.
func inside(ctx context.Context, root string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Env, command.Dir = []string{"HOME=/tmp"}, "/"
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if user := os.Getuid(); user != 0 { // who is nobody here is root in a namespace of their own
		command.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}}
	}
	return command
}

// The base is the same from the same packages, and says what is in it.
func TestBaseWithOpenSSL(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/fairlead-base-psk"
	now := time.Now()
	first, bill := pushOpenSSL(t, repository, asFunc(t, now))
	second, _ := pushOpenSSL(t, repository, asFunc(t, now.Add(-time.Hour)))
	a, err := first.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := second.Digest(); err != nil || a != b {
		t.Errorf("two builds give %s and %s, %v", a, b, err)
	}
	for _, want := range []string{"pkg:deb/debian/libssl3@3.", "pkg:deb/debian/libc6@2.", "pkg:deb/debian/base-files@12"} {
		if !bytes.Contains(bill, []byte(want)) {
			t.Errorf("the bill of materials has no %s", want)
		}
	}
	root := t.TempDir()
	unpack(t, first, root)
	for _, file := range []string{certificatesPath, "etc/os-release", "var/lib/dpkg/status.d/libssl3", "usr/share/doc/libssl3/copyright"} {
		if _, err := os.Lstat(filepath.Join(root, file)); err != nil {
			t.Errorf("the image has no %s", file)
		}
	}
}

// Programs with pre-shared keys run upon the base and nothing else: the gateway, and fairlead dev, to whose gateway for HTTP OpenSSL's own
// client posts with a key.
func TestProgramsWithOpenSSLRun(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	root := t.TempDir()
	image, _ := pushOpenSSL(t, strings.TrimPrefix(server.URL, "http://")+"/fairlead-base-psk", asFunc(t, time.Now()))
	unpack(t, image, root)
	for _, folder := range []string{"tmp", "data"} {
		if err := os.Mkdir(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	build(t, filepath.Join(root, "gateway"), "gateway")
	if said, err := inside(ctx, root, "/gateway", "http").CombinedOutput(); err == nil || !bytes.Contains(said, []byte("telemetryURL: is missing")) {
		t.Errorf("the gateway for HTTP says %s, %v", said, err)
	}

	build(t, filepath.Join(root, "fairlead"), "fairlead")
	dev := inside(ctx, root, "/fairlead", "dev", "--random-ports", "--data", "/data")
	var said bytes.Buffer
	dev.Stdout, dev.Stderr = &said, &said
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- dev.Wait() }()
	defer func() {
		_ = dev.Process.Kill()
		<-ended
	}()
	n := note(t, filepath.Join(root, "data", "dev.json"), ended, &said)
	post := exec.CommandContext(ctx, "openssl", "s_client", "-quiet", "-connect", strings.TrimPrefix(n.HTTPS, "https://"),
		"-psk_identity", n.Example.Device+"@"+n.Example.Application, "-psk", n.Example.Key)
	post.Stdin = strings.NewReader("POST /v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1")
	if answer, err := post.CombinedOutput(); err != nil || !bytes.Contains(answer, []byte("HTTP/1.1 202 ")) {
		t.Errorf("%s, %v", answer, err)
	}
}

// A devNote is what fairlead dev writes down of itself.
type devNote struct {
	HTTPS   string
	Example struct{ Device, Application, Key string }
}

// note waits until fairlead dev is ready.
func note(t *testing.T, file string, ended chan error, said *bytes.Buffer) (n devNote) {
	t.Helper()
	for end := time.After(waitLimit); ; {
		if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &n) == nil {
			return n
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("fairlead dev ends: %v\n%s", err, said)
		case <-end:
			t.Fatal("fairlead dev is not ready")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
