// Command images makes of what func has built the image that is deployed, and the base of the other images.
//
// func's host builder writes the time of the build into an image, so that two builds of one commit differ; it always builds for
// three platforms; and it tells nothing of what is inside. This program takes its images of the platforms that are wanted, and
// pushes one index of them, in which every time is that of the commit, with a software bill of materials.
//
//	images functions REPOSITORY VERSION SECONDS SBOM LAYOUT PLATFORM…   pushes the index and its bill of materials
//	images base REPOSITORY VERSION SECONDS LAYOUT PLATFORM…             pushes an index with certificates only, for ko to build upon
//	images openssl REPOSITORY VERSION SECONDS SBOM LAYOUT PACKAGES PLATFORM   the same with OpenSSL, and its bill of materials
//
// LAYOUT is a folder that func has built, PACKAGES one with packages of Debian, SECONDS the time of the commit since 1970, SBOM a file
// for the bill of materials. It prints REPOSITORY@DIGEST. Credentials are those of Docker's configuration.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var errTooFew = errors.New("wrong number of arguments; see config/images/main.go")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 5 {
		return errTooFew
	}
	what, version := arguments[0], arguments[2]
	repository, err := name.NewRepository(arguments[1])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(arguments[3], 10, 64)
	if err != nil {
		return fmt.Errorf("time of the commit: %w", err)
	}
	r := release{repository: repository, version: version, created: time.Unix(seconds, 0).UTC()}
	switch what {
	case "functions":
		if len(arguments) < 6 {
			return errTooFew
		}
		return r.functions(arguments[4], arguments[5], arguments[6:])
	case "base":
		return r.base(arguments[4], arguments[5:])
	case "openssl":
		if len(arguments) != 8 {
			return errTooFew
		}
		return r.openssl(arguments[4], arguments[5], arguments[6], arguments[7])
	default:
		return fmt.Errorf("%s is neither functions nor base nor openssl", what)
	}
}

// A release is what the images of one build have in common.
type release struct {
	repository name.Repository
	version    string
	created    time.Time
}

func (r release) functions(sbom, layout string, platforms []string) error {
	images, err := built(layout, platforms)
	if err != nil {
		return err
	}
	packages, err := contents(images[0])
	if err != nil {
		return err
	}
	for i := range images {
		if images[i], err = r.settled(images[i]); err != nil {
			return err
		}
	}
	digest, err := r.push(images)
	if err != nil {
		return err
	}
	text, err := bill(r, digest, packages)
	if err != nil {
		return err
	}
	return r.document(sbom, digest, text)
}

func (r release) base(layout string, platforms []string) error {
	images, err := built(layout, platforms)
	if err != nil {
		return err
	}
	var bases []v1.Image
	for _, image := range images {
		base, err := r.certificates(image)
		if err != nil {
			return err
		}
		bases = append(bases, base)
	}
	_, err = r.push(bases)
	return err
}

// openssl pushes an index with one image: that of base, with packages of Debian, for programs that are linked with OpenSSL.
func (r release) openssl(sbom, layout, folder, platform string) error {
	images, err := built(layout, []string{platform})
	if err != nil {
		return err
	}
	packages, err := packagesIn(folder)
	if err != nil {
		return err
	}
	layer, err := layerOf(packages)
	if err != nil {
		return err
	}
	image, err := r.certificates(images[0], layer)
	if err != nil {
		return err
	}
	digest, err := r.push([]v1.Image{image})
	if err != nil {
		return err
	}
	text, err := billOfPackages(r, digest, packages)
	if err != nil {
		return err
	}
	return r.document(sbom, digest, text)
}

// document keeps the bill of materials of an index in a file, and beside the index.
func (r release) document(file string, digest v1.Hash, text []byte) error {
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	return r.attach(digest, text)
}
