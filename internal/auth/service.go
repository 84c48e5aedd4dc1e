package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Registry finds documents by any of their names. internal/store and internal/cache have one. Not found is
// registry.ErrNotFound; every other error means that nothing is known.
type Registry interface {
	Application(ctx context.Context, alias string) (*registry.Application, error)
	Device(ctx context.Context, application, alias string) (*registry.Device, error)
	// Anchored lists the names of the applications that have a trust anchor of a subject.
	Anchored(ctx context.Context, subject string) ([]string, error)
}

// A Service judges credentials against the documents of the registry. It is the only place that sees stored secrets.
// Its sessions are not watched: that is what a Cache does.
type Service struct {
	registry  Registry
	registrar Registrar // nil: unknown devices are refused
	passwords *passwords
	prover    *prover
	log       *zap.Logger
	metrics   *serviceMetrics
}

var _ Authenticator = (*Service)(nil)

// NewService makes a service. The log, which may be nil, gets the reasons of refusals, of which the sender learns nothing.
func NewService(c ServiceConfig, r Registry, log *zap.Logger) *Service {
	m := newServiceMetrics()
	return &Service{registry: r, passwords: newPasswords(c, m), prover: newProver(), log: refusal.Sampled(log), metrics: m}
}

// ShareProofs has the service issue and take the same proofs as all others with that secret, of at least 32 bytes, which it
// asks for when it first needs it. Without it a service knows its own proofs only. It is for before the first request.
func (s *Service) ShareProofs(secret func(context.Context) ([]byte, error)) { s.prover.share(secret) }

// Authenticate follows the steps of the wire contract; a disabled device is refused like a disabled application.
func (s *Service) Authenticate(ctx context.Context, r Request) (*Session, error) {
	started := time.Now()
	session, err := s.authenticate(ctx, r)
	s.metrics.decided(r.Protocol, started, err)
	return session, err
}

func (s *Service) authenticate(ctx context.Context, r Request) (*Session, error) {
	application, err := s.applicationOf(ctx, r)
	if err != nil {
		return nil, s.refuse(r, err)
	}
	device, err := s.device(ctx, application, r.Device)
	if errors.Is(err, errNoDevice) {
		device, err = s.register(ctx, application, r)
	}
	if err != nil {
		return nil, s.refuse(r, err)
	}
	v, err := s.judge(ctx, application, device, r)
	if err != nil {
		return nil, s.refuse(r, err)
	}
	session := &Session{Application: stripApplication(application), Device: stripDevice(device), until: v.until, proof: v.proof}
	if r.As == "" || r.As == r.Device {
		return session, nil
	}
	target, err := s.target(ctx, application, device, r.As)
	if err != nil {
		return nil, withRightCredential(s.refuse(r, err))
	}
	if target.Metadata.Name != device.Metadata.Name {
		session.As = stripDevice(target)
	}
	return session, nil
}

// AuthorizeAs reads the documents anew, so that a gateway that was disabled since it logged in is refused.
func (s *Service) AuthorizeAs(ctx context.Context, session *Session, name string) (*registry.Device, error) {
	device, err := s.authorizeAs(ctx, session, name)
	s.metrics.authorized(err)
	return device, err
}

func (s *Service) authorizeAs(ctx context.Context, session *Session, name string) (*registry.Device, error) {
	if name == session.Device.Metadata.Name {
		return session.Device, nil
	}
	r := Request{Application: session.Application.Metadata.Name, Device: session.Device.Metadata.Name, As: name}
	application, err := s.application(ctx, []string{r.Application})
	if err != nil {
		return nil, s.forbid(r, err)
	}
	gateway, err := s.device(ctx, application, r.Device)
	if err != nil {
		return nil, s.forbid(r, err)
	}
	target, err := s.target(ctx, application, gateway, name)
	if err != nil {
		return nil, s.forbid(r, err)
	}
	return stripDevice(target), nil
}

// PreSharedKey finds the key that is valid now; see registry.PreferredKey for which one if there are several.
func (s *Service) PreSharedKey(ctx context.Context, application, device string) (Key, error) {
	started := time.Now()
	key, err := s.preSharedKey(ctx, application, device)
	s.metrics.decided(refusal.CoAP, started, err) // nothing else has such keys
	return key, err
}

func (s *Service) preSharedKey(ctx context.Context, application, device string) (Key, error) {
	r := Request{Application: application, Device: device}
	a, err := s.application(ctx, []string{application})
	if err != nil {
		return Key{}, s.refuse(r, err)
	}
	d, err := s.device(ctx, a, device)
	if err != nil {
		return Key{}, s.refuse(r, err)
	}
	credentials, err := d.Credentials()
	if err != nil {
		return Key{}, s.refuse(r, errCredentials)
	}
	key := registry.PreferredKey(credentials, time.Now())
	if key == nil {
		return Key{}, s.refuse(r, errNoKey)
	}
	secret, err := s.prover.key(ctx)
	if err != nil {
		return Key{}, s.refuse(r, err)
	}
	proof := prove(secret, a, d, registry.Credential{PreSharedKey: key})
	return Key{Secret: key.Key, Proof: proof, Validity: key.Validity, Application: stripApplication(a), Device: stripDevice(d)}, nil
}

// application finds an enabled application by the first of the names that has one.
func (s *Service) application(ctx context.Context, names []string) (*registry.Application, error) {
	for _, name := range names {
		if name == "" {
			continue
		}
		application, err := s.registry.Application(ctx, name)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !takesPart(application) {
			return nil, errApplicationDisabled
		}
		return application, nil
	}
	if strings.Join(names, "") == "" {
		return nil, errNoCredential
	}
	return nil, errNoApplication
}

// takesPart tells whether an application is neither disabled nor being deleted.
func takesPart(a *registry.Application) bool { return !a.Metadata.Deleting() && a.Spec.Enabled() }

// device finds an enabled device by any of its names.
func (s *Service) device(ctx context.Context, application *registry.Application, name string) (*registry.Device, error) {
	if name == "" {
		return nil, errNoDevice
	}
	device, err := s.registry.Device(ctx, application.Metadata.Name, name)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, errNoDevice
	}
	if err != nil {
		return nil, err
	}
	return enabled(device)
}

// enabled refuses a device that is disabled or being deleted.
func enabled(device *registry.Device) (*registry.Device, error) {
	if device.Metadata.Deleting() || !device.Spec.Enabled() {
		return nil, errDeviceDisabled
	}
	return device, nil
}

// target finds the device that a gateway wants to act for, and checks that it may. A device may always act for itself.
func (s *Service) target(ctx context.Context, application *registry.Application, gateway *registry.Device, name string) (*registry.Device, error) {
	target, err := s.device(ctx, application, name)
	switch {
	case errors.Is(err, errNoDevice):
		return nil, errNoTarget
	case errors.Is(err, errDeviceDisabled):
		return nil, errTargetDisabled
	case err != nil:
		return nil, err
	}
	if target.Metadata.Name != gateway.Metadata.Name && !target.AcceptsGateway(gateway.Metadata.Name) {
		return nil, errGateway
	}
	return target, nil
}

// A verdict is what a credential that was right is good for.
type verdict struct {
	until time.Time // when it ends; zero is never
	proof Proof     // of a stored credential; "" for a certificate
}

// judge checks the credential itself.
func (s *Service) judge(ctx context.Context, a *registry.Application, d *registry.Device, r Request) (v verdict, err error) {
	switch c := r.Credential.(type) {
	case Vouched:
		return v, nil
	case Proof:
		return s.judgeProof(ctx, a, d, c)
	case CertificateChain:
		chain, err := verifyDevice(c, r.Device, a, time.Now())
		if errors.Is(err, errAnchors) {
			return v, err
		}
		if err != nil {
			return v, errCertificate
		}
		return verdict{until: chain.Until}, nil
	case Password, UserPassword:
		return s.judgePassword(ctx, a, d, r)
	default:
		return v, errNoCredential
	}
}

func (s *Service) judgeProof(ctx context.Context, a *registry.Application, d *registry.Device, presented Proof) (v verdict, err error) {
	secret, err := s.prover.key(ctx)
	if err != nil {
		return v, err
	}
	until, ok := judgeProof(secret, a, d, presented, time.Now())
	if !ok {
		return v, errProof
	}
	return verdict{until, presented}, nil
}

// judgePassword compares with the stored passwords. A device is admitted without a proof where the secret of proofs cannot be
// had: its session then ends at the next change instead of being renewed.
func (s *Service) judgePassword(ctx context.Context, a *registry.Application, d *registry.Device, r Request) (v verdict, err error) {
	credentials, err := d.Credentials()
	if err != nil {
		return v, errCredentials
	}
	candidates, presented := matching(credentials, d.Metadata.Name, r)
	stored := make([]registry.Password, len(candidates))
	for i, c := range candidates {
		stored[i] = passwordOf(c)
	}
	found, err := s.passwords.find(ctx, a.Metadata.Name, stored, presented)
	if err != nil {
		return v, err
	}
	if found < 0 {
		return v, errPassword
	}
	if secret, err := s.prover.key(ctx); err == nil {
		v.proof = prove(secret, a, d, candidates[found])
	}
	return v, nil
}

// passwordOf is the password of a credential that has one.
func passwordOf(c registry.Credential) registry.Password {
	if c.Password != nil {
		return *c.Password
	}
	return c.User.Password
}

// matching selects the stored credentials with passwords that a presented credential is compared with:
//
//	presented          stored
//	password           "pass"; "user" with unique, if its name is the presented device; "user" without, if its name is
//	                   the device's registry name
//	name and password  "pass", if the name is the device's registry name; "user" with that name
//
// What is none, presented or stored, is compared with nothing.
func matching(credentials []registry.Credential, name string, r Request) (stored []registry.Credential, presented string) {
	user, withUser := r.Credential.(UserPassword)
	if withUser {
		presented = user.Password
	} else {
		password, _ := r.Credential.(Password)
		presented = string(password)
	}
	if presented == "" {
		return nil, presented
	}
	for _, c := range credentials {
		switch {
		case c.Password != nil:
			if c.Password.None() {
				continue
			}
			if !withUser || user.Username == name {
				stored = append(stored, c)
			}
		case c.User != nil:
			if c.User.Username == "" || c.User.Password.None() {
				continue
			}
			wanted := user.Username
			if !withUser && c.User.Unique {
				wanted = r.Device
			} else if !withUser {
				wanted = name
			}
			if c.User.Username == wanted {
				stored = append(stored, c)
			}
		}
	}
	return stored, presented
}

// refuse turns a reason into the one answer that the sender gets, and writes the reason to the log. Errors that are no
// reason to refuse stay what they are. While hashes are so many that a known device would be turned away, a refusal
// looks like that too, so that it does not tell whether there was something to compare with.
func (s *Service) refuse(r Request, err error) error {
	reason, ok := errors.AsType[reason](err)
	if !ok {
		return undecided(err)
	}
	s.log.Info("device refused", zap.String("reason", string(reason)), zap.String("application", refusal.Clip(r.Application, logName)),
		zap.String("device", refusal.Clip(r.Device, logName)), zap.String("remote", refusal.Clip(r.Remote, logName)), zap.Bool("renewal", r.Renewal))
	s.metrics.refused(reason)
	switch r.Credential.(type) {
	case Password, UserPassword:
		if s.passwords.full(r.Application) {
			return overloaded("too many log-ins at once")
		}
	}
	return refusedFor(reason)
}

// errRightCredential marks the refusal of a sender whose own credential was right.
var errRightCredential = errors.New("the credential was right")

func withRightCredential(err error) error {
	if outcome.Of(err) != outcome.Unauthenticated {
		return err
	}
	return outcome.Wrap(outcome.Unauthenticated, "", rightCredentialError{err})
}

// An rightCredentialError error is a refusal with its reason, marked as errNotGuessed.
type rightCredentialError struct{ error }

// Error is the reason alone.
func (u rightCredentialError) Error() string { return refusal.Explain(outcome.ResultOf(u.error)) }

func (u rightCredentialError) Is(target error) bool { return target == errRightCredential }

func (u rightCredentialError) Unwrap() error { return u.error }

func hadRightCredential(err error) bool { return errors.Is(err, errRightCredential) }

// decided tells apart a decision to refuse and the lack of a decision, which stays an error.
func decided(err error) (pass bool, undecided error) {
	switch outcome.Of(err) {
	case outcome.Accepted:
		return true, nil
	case outcome.Unauthenticated, outcome.Forbidden:
		return false, nil
	default:
		return false, err
	}
}

func (s *Service) forbid(r Request, err error) error {
	reason, ok := errors.AsType[reason](err)
	if !ok {
		return undecided(err)
	}
	s.log.Info("gateway refused", zap.String("reason", string(reason)), zap.String("application", refusal.Clip(r.Application, logName)),
		zap.String("device", refusal.Clip(r.Device, logName)), zap.String("as", refusal.Clip(r.As, logName)))
	s.metrics.refused(reason)
	return outcome.Wrap(outcome.Forbidden, "", reason)
}

// undecided keeps outcomes and calls everything else an unreachable registry.
func undecided(err error) error {
	if _, ok := errors.AsType[*outcome.Error](err); ok {
		return err
	}
	return outcome.Wrap(outcome.Unavailable, "the device registry cannot be reached", err)
}
