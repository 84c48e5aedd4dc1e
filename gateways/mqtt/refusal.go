package mqtt

import (
	"errors"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// reportConnect reports a CONNECT that is not accepted.
func (g *Gateway) reportConnect(c *protocol.Conn, r auth.Request, err error) {
	result := outcome.ResultOf(err)
	if own, ok := errors.AsType[*protocol.Refusal](err); ok {
		result = outcome.Result{Outcome: outcome.Invalid, Reason: own.Text}
	}
	g.pipeline.Refusals().Report(refusal.Report{
		Protocol: refusal.MQTT, Where: "CONNECT", Application: r.Application, Device: r.Device, Remote: c.Remote(),
		Outcome: result.Outcome, Answer: c.AnswerOf(err), Reason: refusal.Explain(result),
	})
}

// reportBroken reports a client that broke the protocol, or met a bound of it.
func (g *Gateway) reportBroken(b protocol.Broken) {
	report := b.Report()
	if f := b.Handshake; f != nil && len(f.Identity) > 0 {
		named := auth.ReportOf(f)
		named.Protocol, named.Where, named.Answer = report.Protocol, report.Where, report.Answer
		report = named
	}
	if s, ok := b.Session.(*session); ok {
		s.name(&report)
	}
	g.pipeline.Refusals().Report(report)
}

// name says who a session is.
func (s *session) name(r *refusal.Report) {
	admitted := s.admission.Load()
	r.Application, r.Device = admitted.Application.Metadata.Name, admitted.Device.Metadata.Name
}

// reportMessage reports a message that is not stored, with its answer. topic may be borrowed; as is the device that it is about.
func (s *session) reportMessage(topic, as string, qos byte, a protocol.Answer, r outcome.Result) {
	where := "PUBLISH"
	if topic != "" {
		where += " " + topic
	}
	answer := s.gateway.config.Connection.PublishText(s.client.Version(), qos, a)
	s.report(refusal.Report{Where: where, As: as, Outcome: r.Outcome, Answer: answer, Reason: refusal.Explain(r)})
}

// report reports something that an admitted client is refused.
func (s *session) report(r refusal.Report) {
	r.Protocol, r.Remote = refusal.MQTT, s.client.Remote()
	s.name(&r)
	s.gateway.pipeline.Refusals().Report(r)
}

// reportRenewal reports a session that ends because its device is not admitted any more.
func (s *session) reportRenewal(err error) {
	r := outcome.ResultOf(err)
	answer := protocol.DisconnectText(s.client.Version(), packet.AdministrativeAction)
	s.report(refusal.Report{Where: "session", Outcome: r.Outcome, Answer: answer, Reason: refusal.Explain(r)})
}

// reportSubscription reports a subscription that is not granted.
func (s *session) reportSubscription(filter string, r packet.Reason) {
	reason := r.String()
	if r == packet.TopicFilterInvalid {
		reason = "devices subscribe to commands only, such as command/inbox//#"
	}
	s.report(refusal.Report{Where: "SUBSCRIBE " + filter, Outcome: protocol.OutcomeOf(r), Answer: protocol.SubscribeText(s.client.Version(), r), Reason: reason})
}

// An unreadableLogin says, to the operator, why a CONNECT names no device.
type unreadableLogin string

func (u unreadableLogin) Error() string { return string(u) }

// explainLogin adds to the refusal of a log-in that could not be read what is wrong with its form.
func explainLogin(c client, p *packet.Connect, r auth.Request, err error) error {
	if r.Credential != nil || outcome.Of(err) != outcome.Unauthenticated {
		return err
	}
	var text unreadableLogin
	proven := c.TLS()
	switch {
	case proven.Identity != "" && (p.HasUsername || p.HasPassword):
		text = "a user name or a password beside a pre-shared key"
	case proven.Identity != "":
		text = "the identity of the pre-shared key is not DEVICE@APPLICATION"
	case !p.HasUsername && !p.HasPassword && len(proven.Chain) == 0:
		text = "no user name and password, no client certificate, and no pre-shared key"
	case !p.HasUsername && !p.HasPassword:
		text = "the client certificate names no device"
	case !p.HasPassword:
		text = "no password"
	case !p.HasUsername:
		text = "no user name"
	case len(proven.Chain) > 0:
		text = "a client certificate beside a user name"
	default:
		text = "neither user name nor client id is DEVICE@APPLICATION"
	}
	return outcome.Wrap(outcome.Unauthenticated, "", text)
}
