package mqtt

import (
	"context"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/registry"
)

var _ protocol.Login = (*session)(nil)

// Renew has the log-in judged again, because a document has changed that the admission rests on, and goes on with a new
// admission, if it is for the same device: an alias may have moved, and a device that was deleted and made again is another one.
func (s *session) Renew(ctx context.Context) (protocol.Admission, error) {
	admitted, err := s.gateway.authenticate(ctx, s.request)
	if err != nil {
		return nil, err
	}
	if !sameDevice(s.admission.Load(), admitted) {
		return nil, protocol.ErrReplaced
	}
	s.admission.Store(admitted)
	return admitted, nil
}

func sameDevice(a, b *auth.Session) bool {
	return sameResource(&a.Application.Metadata, &b.Application.Metadata) && sameResource(&a.Device.Metadata, &b.Device.Metadata)
}

func sameResource(a, b *registry.Metadata) bool { return a.Name == b.Name && a.UID == b.UID }

// End disconnects a device that is not admitted any more.
func (s *session) End(why protocol.RecheckResult, err error) {
	text := ""
	switch why {
	case protocol.RecheckExpired:
		text = "the certificate has expired"
	case protocol.RecheckReplaced:
		text = "the log-in is another device's now"
	case protocol.RecheckGivenUp:
		s.gateway.log.Warn("log-in could not be judged again", append(names(s.admission.Load()), zap.Error(err))...)
		text = "nobody can tell whether the device is still admitted"
	default:
		s.reportRenewal(err)
		text = "the device is not admitted any more"
	}
	s.client.Disconnect(why.Reason(), text)
}
