package registryfn

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

var _ auth.Registrar = (*Handler)(nil)

// register serves processes that ask to register a device.
func (h *Handler) register(c *call) error {
	if err := h.mayRegister(c); err != nil {
		return err
	}
	var wanted auth.WireRegistration
	if err := c.decode(&wanted, false); err != nil {
		return err
	}
	device, err := h.Register(c.ctx(), c.parameters[0], wanted.Certificates)
	switch {
	case errors.Is(err, auth.ErrNotRegistered):
		return conflict(err.Error())
	case outcome.Of(err) == outcome.Overloaded:
		return tooFast
	case err != nil:
		return err
	}
	return c.answer(device)
}

// mayRegister takes the token that is for nothing else, and services. The token is compared by its digest, so that neither its content nor its
// length shows in the time that takes.
func (h *Handler) mayRegister(c *call) error {
	value, _ := header.Single(c.r.Header, header.Authorization)
	token, _ := header.Scheme(value, "Bearer")
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(h.config.RegistrationToken))
	if h.config.RegistrationToken != "" && subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
		return nil
	}
	caller, err := h.Users.Authenticate(c.r)
	if err != nil {
		return unauthenticated(err)
	}
	if !caller.Service {
		return notPermitted
	}
	return nil
}

// Register creates the device that a chain of certificates names, if its application wishes that and its bounds allow it. One that is
// there already is the answer, too.
func (h *Handler) Register(ctx context.Context, application string, chain auth.CertificateChain) (*registry.Device, error) {
	device, err := h.registerOnce(ctx, application, chain)
	h.metrics.registered(err)
	if err != nil {
		h.Log.Info("a device was not registered", zap.String("application", application), zap.Error(err))
	}
	return device, err
}

func (h *Handler) registerOnce(ctx context.Context, application string, chain auth.CertificateChain) (*registry.Device, error) {
	if h.Changes.Full() {
		return nil, full
	}
	a, err := h.Store.Application(ctx, application)
	if err != nil {
		return nil, err
	}
	candidate, err := candidateOf(a, chain)
	if err != nil {
		return nil, err
	}
	if there, err := h.present(ctx, application, candidate.leaf); !errors.Is(err, registry.ErrNotFound) {
		return there, err
	}
	changes, err := h.Store.CreateDeviceWithin(ctx, candidate.device, store.Expect{ApplicationUID: a.Metadata.UID}, candidate.quota)
	if err == nil {
		h.Changes.Tell(ctx, changes)
	}
	switch there, absent := h.present(ctx, application, candidate.leaf); {
	case absent == nil:
		return there, nil // perhaps because somebody else was faster
	case err == nil:
		return nil, absent
	}
	return nil, whyNotCreated(err)
}

// whyNotCreated says what an error of the store is to who wants a device registered.
func whyNotCreated(err error) error {
	switch {
	case errors.Is(err, store.ErrTooFast):
		return outcome.Wrap(outcome.Overloaded, "", err)
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("%w: another device has its common name", auth.ErrNotRegistered)
	case errors.Is(err, store.ErrTooMany), errors.Is(err, store.ErrReference):
		return fmt.Errorf("%w: %w", auth.ErrNotRegistered, err)
	default:
		return err
	}
}

// A candidate is a device that may be created.
type candidate struct {
	leaf   *x509.Certificate
	device *registry.Device
	quota  store.Quota
}

// candidateOf makes the device that a chain names, as its application wishes it.
func candidateOf(a *registry.Application, chain auth.CertificateChain) (*candidate, error) {
	wish, err := a.DeviceRegistration()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrNotRegistered, err)
	}
	if !wish.Enabled || !a.Spec.Enabled() || a.Metadata.Deleting() {
		return nil, fmt.Errorf("%w: its application wishes none", auth.ErrNotRegistered)
	}
	verified, err := auth.VerifyChain(chain, a, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: its certificate is not acceptable", auth.ErrNotRegistered)
	}
	if verified.Leaf.IsCA {
		return nil, fmt.Errorf("%w: its certificate is an authority's", auth.ErrNotRegistered)
	}
	if wish.RequireProof && !verified.Proven {
		return nil, fmt.Errorf("%w: the key of its trust anchor is not proven", auth.ErrNotRegistered)
	}
	device, err := wish.Template.Device(a.Metadata.Name, verified.Leaf, verified.Anchor)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrNotRegistered, err)
	}
	return &candidate{verified.Leaf, device, store.Quota{Devices: wish.MaxDevices, PerMinute: wish.PerMinute}}, nil
}

// present reads the device that has the subject of a certificate among its names.
func (h *Handler) present(ctx context.Context, application string, leaf *x509.Certificate) (*registry.Device, error) {
	subject, err := registry.DistinguishedName(leaf.RawSubject)
	if err != nil {
		return nil, err
	}
	return h.Store.Device(ctx, application, subject)
}
