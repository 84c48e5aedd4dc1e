package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// certificatesPath is where func puts the certificates of public authorities.
const certificatesPath = "/etc/ssl/certs/ca-certificates.crt"

// built reads the images of certain platforms that func has left in a folder, in the order of the platforms.
func built(folder string, platforms []string) (images []v1.Image, err error) {
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", folder, err)
	}
	for _, platform := range platforms {
		image, err := of(index, platform)
		if err != nil {
			return nil, fmt.Errorf("reading the image for %s: %w", platform, err)
		}
		images = append(images, image)
	}
	if len(images) == 0 {
		return nil, errors.New("no platform is wanted")
	}
	return images, nil
}

// of is the image for a platform in an index, or in those within it.
func of(index v1.ImageIndex, platform string) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range manifest.Manifests {
		if d.MediaType.IsIndex() {
			below, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, err
			}
			return of(below, platform)
		}
		if d.Platform != nil && d.Platform.OS+"/"+d.Platform.Architecture == platform {
			return index.Image(d.Digest)
		}
	}
	return nil, errors.New("there is none")
}

// settled is an image in which nothing depends on when and where it was built.
func (r release) settled(image v1.Image) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Config.Env = slices.DeleteFunc(file.Config.Env, func(variable string) bool {
		return strings.HasPrefix(variable, "FUNC_CREATED=") || strings.HasPrefix(variable, "FUNC_VERSION=")
	})
	file.Config.Labels = r.labels()
	file.History = make([]v1.History, len(file.RootFS.DiffIDs)) // one for each layer, which mutate.Time counts upon
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return nil, err
	}
	if image, err = mutate.Time(image, r.created); err != nil {
		return nil, fmt.Errorf("setting times: %w", err)
	}
	return openContainers(image), nil
}

// openContainers is an image with the media types of the Open Container Initiative.
func openContainers(image v1.Image) v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
}

func (r release) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":   "fairlead",
		"org.opencontainers.image.version": r.version,
		"org.opencontainers.image.created": r.created.Format("2006-01-02T15:04:05Z"),
	}
}

// certificates is an image with the layer of certificates of another one, those that are given, and nothing else.
func (r release) certificates(of v1.Image, more ...v1.Layer) (v1.Image, error) {
	file, err := of.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := of.Layers()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(layers, func(l v1.Layer) bool {
		found := false
		_ = walk(l, func(h *tar.Header, _ io.Reader) error { found = found || h.Name == certificatesPath; return nil })
		return found
	})
	if i < 0 {
		return nil, errors.New("there are no certificates")
	}
	image, err := mutate.AppendLayers(empty.Image, append([]v1.Layer{layers[i]}, more...)...)
	if err != nil {
		return nil, err
	}
	own, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	own = own.DeepCopy()
	own.OS, own.Architecture, own.Variant = file.OS, file.Architecture, file.Variant
	own.Config.User, own.Config.Labels = "65532:65532", r.labels()
	if image, err = mutate.ConfigFile(image, own); err != nil {
		return nil, err
	}
	if image, err = mutate.Time(image, r.created); err != nil {
		return nil, err
	}
	return openContainers(image), nil
}

// walk visits the files of a layer.
func walk(l v1.Layer, visit func(*tar.Header, io.Reader) error) error {
	content, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	files := tar.NewReader(content)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(header, files); err != nil {
			return err
		}
	}
}

// push pushes an index of images, tagged with the version, and prints where it is.
func (r release) push(images []v1.Image) (v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, image := range images {
		file, err := image.ConfigFile()
		if err != nil {
			return v1.Hash{}, err
		}
		platform := &v1.Platform{OS: file.OS, Architecture: file.Architecture, Variant: file.Variant}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	digest, err := index.Digest()
	if err != nil {
		return digest, err
	}
	if err := remote.WriteIndex(r.repository.Tag(r.version), index, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return digest, fmt.Errorf("pushing to %s: %w", r.repository, err)
	}
	fmt.Println(r.repository.Digest(digest.String()))
	return digest, nil
}

// attach pushes the bill of materials where cosign and ko put theirs: beside the image, under a tag made of its digest.
func (r release) attach(digest v1.Hash, text []byte) error {
	document := static.NewLayer(text, "text/spdx+json")
	image, err := mutate.Append(openContainers(empty.Image), mutate.Addendum{Layer: document, MediaType: "text/spdx+json"})
	if err != nil {
		return err
	}
	tag := r.repository.Tag(fmt.Sprintf("%s-%s.sbom", digest.Algorithm, digest.Hex))
	if err := remote.Write(tag, image, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("pushing the bill of materials: %w", err)
	}
	return nil
}
