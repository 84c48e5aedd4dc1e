package auth

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/refusal"
)

// Keys finds for handshakes the keys that an authenticator knows. A look-up takes no longer than the timeout.
func Keys(a Authenticator, timeout time.Duration) psk.Lookup {
	return func(ctx context.Context, identity []byte) (psk.Key, error) {
		request, err := FromIdentity(string(identity), "")
		if err != nil {
			return psk.Key{Missing: "the identity is not DEVICE@APPLICATION"}, nil
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		key, err := a.PreSharedKey(ctx, request.Application, request.Device)
		switch {
		case outcome.Of(err) == outcome.Unauthenticated:
			return psk.Key{Missing: refusal.Explain(outcome.ResultOf(err))}, nil
		case err != nil:
			return psk.Key{}, err
		case !key.ValidAt(time.Now()):
			return psk.Key{Missing: "the pre-shared key is not valid now"}, nil
		}
		found := psk.Key{Secret: key.Secret, Proof: string(key.Proof)}
		if key.Validity != nil {
			found.Until = key.Validity.NotAfter
		}
		return found, nil
	}
}

// ReportOf is what the operator is told of a handshake that did not succeed. Protocol, place and answer are left to the gateway.
func ReportOf(f *psk.Failure) refusal.Report {
	report := refusal.Report{Remote: f.Remote.Addr().String(), Outcome: outcome.Unauthenticated}
	if request, err := FromIdentity(string(f.Identity), ""); err == nil {
		report.Application, report.Device = request.Application, request.Device
	} else {
		report.Device = string(f.Identity)
	}
	switch {
	case f.Missing != "":
		report.Reason = f.Missing
	case errors.Is(f.Err, psk.ErrUndecided):
		report.Outcome, report.Reason = outcome.Of(f.Err), f.Err.Error()
	case errors.Is(f.Err, psk.ErrOtherKey):
		report.Reason = "the client has another pre-shared key than the device"
	case len(f.Identity) > 0:
		report.Reason = "the client did not prove its pre-shared key; it may have another one"
	default:
		report.Outcome, report.Reason = outcome.Invalid, f.Err.Error()
	}
	return report
}
