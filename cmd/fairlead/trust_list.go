package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/registry"
)

type trustList struct {
	inApplication
	output
}

// An anchorLine is one trust anchor.
type anchorLine struct {
	Subject     string    `json:"subject,omitempty"`
	State       string    `json:"state"`
	Expires     time.Time `json:"expires,omitzero"`
	Devices     int       `json:"devices"` // whose certificates are known to come from it
	Fingerprint string    `json:"fingerprint,omitempty"`
}

type shownAnchor struct {
	Anchor anchorLine `json:"anchor"`
}

// Run lists the trust anchors of an application.
func (c *trustList) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	anchors, err := readAnchors(ctx, client, application)
	if err != nil {
		return err
	}
	known, err := devicesOfAnchors(ctx, client, application)
	if err != nil {
		return about("application "+application, err)
	}
	list := c.list(t, []column{
		{name: "SUBJECT", text: func(d document) string { return d.Anchor.Subject }},
		{name: "STATE", text: func(d document) string { return d.Anchor.State }},
		{name: "EXPIRES", text: func(d document) string { return expiry(d.Anchor.Expires) }},
		{name: "DEVICES", text: func(d document) string { return strconv.Itoa(d.Anchor.Devices) }},
		{name: "FINGERPRINT", text: func(d document) string { return d.Anchor.Fingerprint }},
	})
	for _, anchor := range anchors.Anchors {
		line := lineOf(anchor, time.Now())
		line.Devices = known[line.Fingerprint]
		text, err := json.Marshal(shownAnchor{line})
		if err != nil {
			return err
		}
		if err := list.add(text); err != nil {
			return err
		}
	}
	return list.end(nil)
}

func expiry(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// lineOf tells of a trust anchor whether it admits anybody now, and whether its key is proven.
func lineOf(anchor registry.TrustAnchor, now time.Time) anchorLine {
	valid := anchor.Valid
	if valid == nil {
		line := anchorLine{State: "invalid"}
		if anchor.Invalid != nil {
			line.State += ": " + anchor.Invalid.Message
		}
		return line
	}
	line := anchorLine{Subject: valid.Subject, Expires: valid.NotAfter, State: "not proven"}
	if certificate, err := registry.ParseCertificate(valid.Certificate); err == nil {
		line.Fingerprint = registry.Fingerprint(certificate)
	}
	switch {
	case now.After(valid.NotAfter):
		line.State = "expired"
	case now.Before(valid.NotBefore):
		line.State = "not yet valid"
	case valid.Proven != nil:
		line.State = "proven"
	}
	return line
}

// readAnchors reads the trust anchors of an application, as its status has them.
func readAnchors(ctx context.Context, client *cloud.Client, application string) (anchors registry.TrustAnchors, err error) {
	var a registry.Application
	if err := client.Get(ctx, cloud.ApplicationPath(application), &a); err != nil {
		return anchors, about("application "+application, err)
	}
	anchors, _, err = registry.Decode[registry.TrustAnchors](a.Status, registry.SectionTrustAnchors)
	return anchors, about("application "+application, err)
}

// findAnchor finds the one trust anchor whose fingerprint begins with some digits, and may be written as OpenSSL does.
func findAnchor(ctx context.Context, client *cloud.Client, application, given string) (found string, err error) {
	anchors, err := readAnchors(ctx, client, application)
	if err != nil {
		return "", err
	}
	digits := strings.ToLower(strings.ReplaceAll(given, ":", ""))
	for _, anchor := range anchors.Anchors {
		fingerprint := lineOf(anchor, time.Now()).Fingerprint
		switch {
		case fingerprint == "" || digits == "" || !strings.HasPrefix(fingerprint, digits) || fingerprint == found:
		case found != "":
			return "", fmt.Errorf("several trust anchors of application %s begin with %s", application, printable(given))
		default:
			found = fingerprint
		}
	}
	if found == "" {
		return "", fmt.Errorf("no trust anchor of application %s has the fingerprint %s; see: fairlead trust list", application, printable(given))
	}
	return found, nil
}

// devicesOfAnchors counts, by the fingerprints of trust anchors, the devices whose label says that their certificate comes from there.
func devicesOfAnchors(ctx context.Context, client *cloud.Client, application string) (map[string]int, error) {
	known := map[string]int{}
	err := client.Devices(ctx, application, cloud.Selection{Labels: registry.LabelTrustAnchor}, func(raw json.RawMessage) error {
		known[readDocument(raw).Metadata.Labels[registry.LabelTrustAnchor]]++
		return nil
	})
	return known, err
}

type trustRemove struct {
	inApplication
	Yes         bool   `short:"y" help:"Do not ask."`
	Fingerprint string `arg:"" complete:"anchor" help:"Fingerprint of the authority, or its first digits."`
}

// Run removes a trust anchor, after it has said how many devices are known to need it.
func (c *trustRemove) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	fingerprint, err := findAnchor(ctx, client, application, c.Fingerprint)
	if err != nil {
		return err
	}
	if !c.Yes {
		if err := c.confirm(ctx, t, client, application, fingerprint); err != nil {
			return err
		}
	}
	err = changeAnchors(ctx, client, application, func(anchors []any) (kept []any, _ error) {
		kept = []any{}
		for _, anchor := range anchors {
			if fingerprintOf(anchor) != fingerprint {
				kept = append(kept, anchor)
			}
		}
		return kept, nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(t.err, "application %s no longer trusts %s\n", application, fingerprint)
	return nil
}

func (c *trustRemove) confirm(ctx context.Context, t terminal, client *cloud.Client, application, fingerprint string) error {
	known, err := devicesOfAnchors(ctx, client, application)
	if err != nil {
		return about("application "+application, err)
	}
	what := fmt.Sprintf("lock out every device of application %s with a certificate of it, %s at least", application, countOf(known[fingerprint], "device"))
	if !canAsk(t) {
		return fmt.Errorf("this would %s, and there is no terminal to ask on; say --yes if that is meant", what)
	}
	if !ask(t, "This will "+what+". Go on?") {
		return errors.New("nothing was changed")
	}
	return nil
}

// anchorsIn are suggestions for a trust anchor.
func anchorsIn(ctx context.Context, in *inApplication) (all []suggestion) {
	client, application, err := in.connect()
	if err != nil {
		return nil
	}
	anchors, err := readAnchors(ctx, client, application)
	if err != nil {
		return nil
	}
	for _, anchor := range anchors.Anchors {
		if line := lineOf(anchor, time.Now()); line.Fingerprint != "" {
			all = append(all, suggestion{line.Fingerprint, line.Subject})
		}
	}
	return all
}
