package main

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/internal/registry"
)

type trustCommand struct {
	Create trustCreate `cmd:"" help:"Make an authority for the devices of an application, and have the application trust it."`
	Issue  trustIssue  `cmd:"" help:"Make a certificate of a device, and have the device found by it."`
	List   trustList   `cmd:"" help:"List the authorities that an application trusts."`
	Add    trustAdd    `cmd:"" help:"Have an application trust an authority that is there already."`
	Prove  trustProve  `cmd:"" help:"Show that you have the key of an authority."`
	Remove trustRemove `cmd:"" help:"No longer trust an authority. The sessions of its devices end."`
}

// organization stands in every certificate that is made here.
const organization = "Fairlead"

// Longest times for which certificates are made, by default.
const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	deviceLifetime    = 365 * 24 * time.Hour
)

// authorityFiles are the flags that say where an authority is.
type authorityFiles struct {
	Name string `placeholder:"NAME" help:"Name of the authority, and of its files without their ending; APPLICATION-ca by default."`
	Dir  string `type:"path" default:"." placeholder:"FOLDER" help:"Folder with the files (${default})."`
}

func (a *authorityFiles) name(application string) string {
	if a.Name != "" {
		return a.Name
	}
	return application + "-ca"
}

func (a *authorityFiles) files(application string) issuer.Files {
	return issuer.FilesOf(filepath.Join(a.Dir, filepath.Base(a.name(application))))
}

type trustCreate struct {
	inApplication
	authorityFiles
	For time.Duration `placeholder:"DURATION" help:"How long the authority is valid; ten years by default."`
}

// Run makes an authority, writes its files, has the application trust it and proves its key.
func (c *trustCreate) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	files := c.files(application)
	if err := files.Exist(); err != nil {
		return err
	}
	until, err := lifetime(c.For, authorityLifetime)
	if err != nil {
		return err
	}
	ca, err := issuer.NewAuthority(pkix.Name{Organization: []string{organization}, CommonName: c.name(application)}, until)
	if err != nil {
		return err
	}
	if err := files.Write(ca); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "%s and %s written; keep the key where nobody else gets at it\n", files.Certificate, files.Key)
	if err := addAnchor(ctx, client, application, ca.Certificate); err != nil {
		return fmt.Errorf("%w\nthe files are there: when that is mended, go on with: fairlead trust add %s", err, quoted(files.Certificate))
	}
	fmt.Fprintf(t.err, "application %s trusts %s\n", application, registry.Fingerprint(ca.Certificate))
	if err := proveWith(ctx, client, application, ca); err != nil {
		return fmt.Errorf("the key is not proven, which can be done later with fairlead trust prove: %w", about("application "+application, err))
	}
	fmt.Fprintf(t.err, "the key is proven\n\nA certificate for a device:\n\n  fairlead trust issue DEVICE%s\n\n", c.flags(application))
	return nil
}

// flags are those with which another command finds the same authority.
func (a *authorityFiles) flags(application string) (flags string) {
	if a.Name != "" && a.Name != application+"-ca" {
		flags = " --name " + quoted(a.Name)
	}
	return flags + " --dir " + quoted(a.Dir)
}

// lifetime is when something ends that is valid for so long from now on.
func lifetime(given, usual time.Duration) (time.Time, error) {
	if given < 0 {
		return time.Time{}, errors.New("--for: must not be negative")
	}
	if given == 0 {
		given = usual
	}
	return time.Now().Add(given), nil
}

type trustAdd struct {
	inApplication
	File string `arg:"" type:"path" help:"File with the certificate of the authority, PEM or DER."`
}

// Run has an application trust an authority.
func (c *trustAdd) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	certificate, err := issuer.ReadCertificate(c.File)
	if err != nil {
		return err
	}
	if !certificate.IsCA {
		return fmt.Errorf("%s is no certificate of an authority", c.File)
	}
	if err := addAnchor(ctx, client, application, certificate); err != nil {
		return err
	}
	fingerprint := registry.Fingerprint(certificate)
	fmt.Fprintf(t.err, "application %s trusts %s\nshow that you have its key with: fairlead trust prove %s\n", application, fingerprint, fingerprint)
	return nil
}

// addAnchor adds a trust anchor to the specification of an application, unless it is there.
func addAnchor(ctx context.Context, client *cloud.Client, application string, ca *x509.Certificate) error {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	anchor := map[string]any{"certificate": base64.StdEncoding.EncodeToString(text)}
	return changeAnchors(ctx, client, application, func(anchors []any) ([]any, error) {
		if slices.ContainsFunc(anchors, func(one any) bool { return fingerprintOf(one) == registry.Fingerprint(ca) }) {
			return anchors, nil
		}
		if len(anchors) >= registry.MaxTrustAnchors {
			return nil, fmt.Errorf("an application has at most %d trust anchors", registry.MaxTrustAnchors)
		}
		return append(anchors, anchor), nil
	})
}

// changeAnchors changes the trust anchors in the specification of an application.
func changeAnchors(ctx context.Context, client *cloud.Client, application string, do func([]any) ([]any, error)) error {
	err := changeResource(ctx, client, cloud.ApplicationPath(application), func(r resource) error {
		section, err := r.member("spec", registry.SectionTrustAnchors)
		if err != nil {
			return err
		}
		anchors, err := items(section, "anchors")
		if err != nil {
			return err
		}
		section["anchors"], err = do(anchors)
		return err
	})
	return about("application "+application, err)
}

// fingerprintOf is that of a trust anchor in a specification; "" of one that does not parse.
func fingerprintOf(anchor any) string {
	object, _ := anchor.(map[string]any)
	text, _ := object["certificate"].(string)
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	certificate, err := registry.ParseCertificate(content)
	if err != nil {
		return ""
	}
	return registry.Fingerprint(certificate)
}
