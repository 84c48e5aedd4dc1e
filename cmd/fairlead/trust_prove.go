package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/internal/registry"
)

type trustProve struct {
	inApplication
	authorityFiles
	Fingerprint string `arg:"" optional:"" complete:"anchor" help:"Fingerprint of an authority whose key is elsewhere, or its first digits. A code is printed that the key has to sign."`
	Proof       string `type:"path" placeholder:"FILE" help:"File with the certificate that the key has signed, and whose common name is the code."`
}

// Run proves the key of an authority: with the key, or in two steps where somebody else has it.
func (c *trustProve) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	what := "application " + application
	if c.Fingerprint == "" {
		if c.Proof != "" {
			return errors.New("--proof needs the fingerprint of the authority")
		}
		ca, err := c.files(application).Read()
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w\nwhere the key is elsewhere, name the authority by its fingerprint: fairlead trust list", err)
		}
		if err != nil {
			return err
		}
		if err := proveWith(ctx, client, application, ca); err != nil {
			return about(what, err)
		}
		return c.done(t, application)
	}
	fingerprint, err := findAnchor(ctx, client, application, c.Fingerprint)
	if err != nil {
		return err
	}
	if c.Proof == "" {
		return about(what, printCode(ctx, t, client, application, fingerprint))
	}
	certificate, err := issuer.ReadCertificate(c.Proof)
	if err != nil {
		return err
	}
	if err := client.ProveAnchor(ctx, application, fingerprint, certificate.Raw); err != nil {
		return about(what, err)
	}
	return c.done(t, application)
}

func (c *trustProve) done(t terminal, application string) error {
	fmt.Fprintf(t.err, "the key is proven for application %s\n", application)
	return nil
}

// proveWith shows an installation that the key of a trust anchor is here.
func proveWith(ctx context.Context, client *cloud.Client, application string, ca *issuer.Pair) error {
	fingerprint := registry.Fingerprint(ca.Certificate)
	code, err := client.PossessionCode(ctx, application, fingerprint)
	if err != nil {
		return err
	}
	proof, err := ca.Prove(code.Code)
	if err != nil {
		return err
	}
	return client.ProveAnchor(ctx, application, fingerprint, proof.Raw)
}

// printCode prints the code, and beside it how somebody who has the key signs it.
func printCode(ctx context.Context, t terminal, client *cloud.Client, application, fingerprint string) error {
	code, err := client.PossessionCode(ctx, application, fingerprint)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(t.out, oneLine(code.Code)); err != nil {
		return err
	}
	fmt.Fprintf(t.err, `
Sign a certificate with this common name before %s, such as with:

  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout proof.key -subj /CN=%s -out proof.csr
  openssl x509 -req -in proof.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -out proof.crt
  fairlead trust prove --app %s %s --proof proof.crt

`, code.Expires.Local().Format("2006-01-02 15:04"), printable(code.Code), application, fingerprint)
	return nil
}
