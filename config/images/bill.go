package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// programPath is where func puts the program.
const programPath = "/func/f"

// maxProgram bounds what is read of the program, in bytes.
const maxProgram = 512 << 20

// contents are the modules that the program in an image was built from, with the version of Go.
func contents(image v1.Image) (*debug.BuildInfo, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	var info *debug.BuildInfo
	for _, layer := range layers {
		err := walk(layer, func(h *tar.Header, file io.Reader) error {
			if h.Name != programPath || h.Typeflag != tar.TypeReg {
				return nil
			}
			program, err := io.ReadAll(io.LimitReader(file, maxProgram))
			if err != nil {
				return err
			}
			info, err = buildinfo.Read(bytes.NewReader(program))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the program: %w", err)
		}
	}
	if info == nil {
		return nil, errors.New("there is no program in the image")
	}
	return info, nil
}

// The parts of SPDX 2.3 that are used.
type document struct {
	SPDXID            string         `json:"SPDXID"`
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      creation       `json:"creationInfo"`
	Packages          []part         `json:"packages"`
	Relationships     []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type part struct {
	SPDXID           string     `json:"SPDXID"`
	Name             string     `json:"name"`
	VersionInfo      string     `json:"versionInfo,omitempty"`
	DownloadLocation string     `json:"downloadLocation"`
	FilesAnalyzed    bool       `json:"filesAnalyzed"`
	ExternalRefs     []external `json:"externalRefs,omitempty"`
}

type external struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// bill is the bill of materials of an image, in SPDX 2.3: the image, Go's standard library, and every module.
func bill(r release, digest v1.Hash, info *debug.BuildInfo) ([]byte, error) {
	d := r.billOf(digest)
	d.add("stdlib", strings.TrimPrefix(info.GoVersion, "go"))
	modules := slices.Clone(info.Deps)
	slices.SortFunc(modules, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	for _, m := range modules {
		switch {
		case m.Replace == nil:
			d.add(m.Path, m.Version)
		case m.Replace.Version == "": // the source itself, which func's scaffolding takes from its folder
			d.add("github.com/fairlead/fairlead", r.version)
		default:
			d.add(m.Replace.Path, m.Replace.Version)
		}
	}
	return json.MarshalIndent(d, "", "  ")
}

// billOfPackages is the bill of materials of an image with packages of Debian.
func billOfPackages(r release, digest v1.Hash, packages []debianPackage) ([]byte, error) {
	d := r.billOf(digest)
	for _, p := range packages {
		d.depend(p.name, p.version, "pkg:deb/debian/"+p.name+"@"+url.PathEscape(p.version)+"?arch="+p.architecture)
	}
	return json.MarshalIndent(d, "", "  ")
}

// imageID is the image's in a bill of materials.
const imageID = "SPDXRef-Image"

// billOf is one in which the image depends on nothing yet.
func (r release) billOf(digest v1.Hash) *document {
	image := part{SPDXID: imageID, Name: r.repository.String(), VersionInfo: r.version, DownloadLocation: "NOASSERTION"}
	image.ExternalRefs = []external{{"PACKAGE-MANAGER", "purl", "pkg:oci/fairlead@" + digest.String() + "?repository_url=" + r.repository.String()}}
	return &document{
		SPDXID: "SPDXRef-DOCUMENT", SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", Name: "sbom-" + digest.Hex,
		DocumentNamespace: "https://spdx.org/spdxdocs/fairlead/" + digest.Hex,
		CreationInfo:      creation{Created: r.created.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: fairlead-images"}},
		Packages:          []part{image},
		Relationships:     []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", imageID}},
	}
}

// add adds a Go module that the image depends on.
func (d *document) add(name, version string) {
	d.depend(name, version, "pkg:golang/"+name+"@"+version)
}

// depend adds something that the image depends on, and where packages of its kind are found.
func (d *document) depend(name, version, locator string) {
	id := fmt.Sprintf("SPDXRef-Module-%d", len(d.Packages))
	d.Packages = append(d.Packages, part{
		SPDXID: id, Name: name, VersionInfo: version, DownloadLocation: "NOASSERTION",
		ExternalRefs: []external{{"PACKAGE-MANAGER", "purl", locator}},
	})
	d.Relationships = append(d.Relationships, relationship{imageID, "DEPENDS_ON", id})
}
