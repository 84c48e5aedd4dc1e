package registryfn

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// possession is a code with its end.
type possession struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// proof is a certificate whose common name is a code: base64 of PEM or DER, as in a specification.
type proof struct {
	Certificate string `json:"certificate"`
}

// possessionCode gives out a code that the key of a trust anchor has to sign.
func (h *Handler) possessionCode(c *call) error {
	t, err := h.tenant(c, c.parameters[0], user.Write, notFound, notPermitted)
	if err != nil {
		return err
	}
	a, err := h.Store.Application(c.ctx(), t.Application)
	if err != nil {
		return err
	}
	_, anchor, err := anchorOf(a, c.parameters[1])
	if err != nil {
		return err
	}
	secret, err := h.Store.ProofSecret(c.ctx())
	if err != nil {
		return err
	}
	expires := time.Now().Add(codeLifetime).UTC().Truncate(time.Second)
	return c.answer(possession{possessionCode(secret, a.Metadata.UID, anchor, expires), expires})
}

// proveAnchor takes the certificate that the key of a trust anchor has signed, and notes that the key is proven.
func (h *Handler) proveAnchor(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, notFound, notPermitted)
	if err != nil {
		return err
	}
	certificate, err := c.readProof()
	if err != nil {
		return err
	}
	secret, err := h.Store.ProofSecret(c.ctx())
	if err != nil {
		return err
	}
	changes, err := h.Store.UpdateApplication(c.ctx(), t.Application, store.Expect{ApplicationUID: t.UID}, func(a *registry.Application) error {
		anchors, anchor, err := anchorOf(a, c.parameters[1])
		if err != nil {
			return err
		}
		now := time.Now()
		if err := checkPossession(secret, a.Metadata.UID, anchor, certificate, now); err != nil {
			return badRequest("certificate: " + err.Error())
		}
		anchors.Prove(anchor, now)
		return setAnchors(a, anchors)
	})
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}

// anchorOf finds a trust anchor of an application by its fingerprint, and all that it is one of.
func anchorOf(a *registry.Application, fingerprint string) (all registry.TrustAnchors, anchor *x509.Certificate, err error) {
	all, _, err = registry.Decode[registry.TrustAnchors](a.Status, registry.SectionTrustAnchors)
	if err != nil {
		return all, nil, err
	}
	if anchor = all.Find(fingerprint); anchor == nil {
		return all, nil, notFound
	}
	return all, anchor, nil
}

// readProof reads the body.
func (c *call) readProof() (*x509.Certificate, error) {
	var given proof
	if err := c.decode(&given, false); err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(given.Certificate)
	if err != nil {
		err = errors.New("is not base64")
	}
	var certificate *x509.Certificate
	if err == nil {
		certificate, err = registry.ParseCertificate(content)
	}
	if err != nil {
		return nil, badRequest("certificate: " + err.Error())
	}
	return certificate, nil
}
