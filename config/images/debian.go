package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// A debianPackage is a package of Debian in a file.
type debianPackage struct {
	file                        string
	name, version, architecture string
	control                     []byte // what Debian says of it
}

// packagesIn reads the packages in a folder, in the order of their names.
func packagesIn(folder string) (packages []debianPackage, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		p := debianPackage{file: file}
		if p.control, err = dpkg("--field", file); err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(p.control)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch name {
			case "Package":
				p.name = value
			case "Version":
				p.version = value
			case "Architecture":
				p.architecture = value
			}
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("%s holds no packages", folder)
	}
	slices.SortFunc(packages, func(a, b debianPackage) int { return strings.Compare(a.name, b.name) })
	return packages, nil
}

// dpkg is what dpkg-deb writes.
func dpkg(arguments ...string) ([]byte, error) {
	output, err := exec.Command("dpkg-deb", arguments...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("dpkg-deb %s: %s", strings.Join(arguments, " "), bytes.TrimSpace(failed.Stderr))
	}
	return output, err
}

// layerOf is a layer with what programs need of packages, and with the notes by which scanners know them.
func layerOf(packages []debianPackage) (v1.Layer, error) {
	var content bytes.Buffer
	files := tar.NewWriter(&content)
	for _, p := range packages {
		if err := p.write(files); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", p.name, err)
		}
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
}

// write adds the files of a package that are needed. None of them needs a user, a mode of its own or a time.
func (p *debianPackage) write(to *tar.Writer) error {
	content, err := dpkg("--fsys-tarfile", p.file)
	if err != nil {
		return err
	}
	for files := tar.NewReader(bytes.NewReader(content)); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, "./")
		if h.Typeflag == tar.TypeDir || !needed(name) {
			continue
		}
		if err := to.WriteHeader(&tar.Header{Name: name, Typeflag: h.Typeflag, Linkname: h.Linkname, Mode: h.Mode, Size: h.Size}); err != nil {
			return err
		}
		if _, err := io.Copy(to, files); err != nil {
			return err
		}
	}
	// As in Google's distroless images.
	err = to.WriteHeader(&tar.Header{Name: "var/lib/dpkg/status.d/" + p.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(p.control))})
	if err == nil {
		_, err = to.Write(p.control)
	}
	return err
}

// needed tells whether a file is a library, or says where one comes from. Conversions of character sets are for nobody here.
func needed(name string) bool {
	switch {
	case strings.Contains(name, "/gconv/"):
		return false
	case strings.HasPrefix(name, "lib/"), strings.HasPrefix(name, "lib64/"), strings.HasPrefix(name, "usr/lib/"):
		return true
	default:
		return name == "etc/os-release" || strings.HasPrefix(name, "usr/share/doc/") && strings.HasSuffix(name, "/copyright")
	}
}
