package main

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// asFunc writes images as func does: for three platforms, with the time of the build in files and variables.
func asFunc(t *testing.T, at time.Time) string {
	t.Helper()
	program, err := os.Executable() // holds which modules it was built from
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, architecture := range []string{"amd64", "arm64", "arm"} {
		image, err := mutate.AppendLayers(empty.Image, layer(t, certificatesPath, []byte("certificates"), at), layer(t, programPath, content, at))
		if err != nil {
			t.Fatal(err)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		file = file.DeepCopy()
		file.OS, file.Architecture, file.Created = "linux", architecture, v1.Time{Time: at}
		file.Config.Env = []string{"FUNC_CREATED=" + at.Format(time.RFC3339), "KEPT=yes"}
		file.History = []v1.History{{Author: "func", Created: v1.Time{Time: at}, EmptyLayer: true}}
		if image, err = mutate.ConfigFile(image, file); err != nil {
			t.Fatal(err)
		}
		if err := path.AppendImage(image, layout.WithPlatform(v1.Platform{OS: "linux", Architecture: architecture})); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func layer(t *testing.T, file string, content []byte, at time.Time) v1.Layer {
	t.Helper()
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	err := w.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content)), ModTime: at})
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Two builds at different times give one index, with the wanted platforms only, and a bill of materials beside it.
func TestImagesAreTheSame(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/fairlead-functions"
	digest := func(at time.Time) string {
		bill := filepath.Join(t.TempDir(), "bill.json")
		if err := run([]string{"functions", repository, "v1", "1700000000", bill, asFunc(t, at), "linux/amd64", "linux/arm64"}); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(bill); err != nil || !bytes.Contains(text, []byte("pkg:golang/github.com/google/go-containerregistry@")) {
			t.Errorf("the bill of materials, %v: %.200s", err, text)
		}
		ref, err := name.ParseReference(repository + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(ref)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := index.IndexManifest()
		if err != nil || len(manifest.Manifests) != 2 {
			t.Fatalf("manifests %+v, %v", manifest, err)
		}
		hash, err := index.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Image(ref.Context().Tag("sha256-" + hash.Hex + ".sbom")); err != nil {
			t.Errorf("no bill of materials in the registry: %v", err)
		}
		return hash.String()
	}
	now := time.Now()
	if a, b := digest(now), digest(now.Add(-time.Hour)); a != b {
		t.Errorf("two builds give %s and %s", a, b)
	}
	if err := run([]string{"base", repository, "v1-base", "1700000000", asFunc(t, now), "linux/arm64"}); err != nil {
		t.Error(err)
	}
	if err := run([]string{"base", repository, "v1-base", "1700000000", asFunc(t, now), "linux/s390x"}); err == nil {
		t.Error("a platform that was not built is found")
	}
}
