package coap

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A requestReport is what a report says of a request, whatever it is refused for. It may be kept after the request.
type requestReport struct {
	gateway *Gateway
	report  refusal.Report
}

// report begins the report of a request: where it goes, and who has proven to send it.
func (g *Gateway) report(r *protocol.Request) requestReport {
	d := requestReport{g, refusal.Report{Protocol: refusal.CoAP, Where: whereOf(r), Remote: r.Peer.Remote().Addr().String()}}
	if s, _ := r.Peer.Client.(*session); s != nil {
		d.of(s.loginRequest())
	}
	return d
}

// of says who sends the request, as presented.
func (d *requestReport) of(request auth.Request) {
	d.report.Application, d.report.Device, d.report.As = request.Application, request.Device, request.As
}

// by says who sends the request, as admitted.
func (d *requestReport) by(l *login) {
	d.of(l.request)
	d.report.Application, d.report.Device = l.session.Application.Metadata.Name, l.session.Device.Metadata.Name
}

// answer reports what became of a message, unless that is good, and says it in the words of the protocol.
func (d requestReport) answer(result outcome.Result) protocol.Response {
	return d.with(answer(result), result)
}

// login reports a log-in that did not succeed, and answers it.
func (d requestReport) login(err error) protocol.Response {
	return d.with(deniedLogin(err), outcome.ResultOf(err))
}

// with reports a refusal that has a response already.
func (d requestReport) with(response protocol.Response, result outcome.Result) protocol.Response {
	if !result.Outcome.Good() {
		d.report.Outcome, d.report.Answer, d.report.Reason = result.Outcome, codeText(response.Code), refusal.Explain(result)
		d.gateway.pipeline.Refusals().Report(d.report)
	}
	return response
}

// reportBroken reports a request that the message layer has refused.
func (g *Gateway) reportBroken(broken protocol.Refusal) {
	d := g.report(broken.Request)
	d.report.Outcome, d.report.Answer = outcomeOf(broken.Response.Code), codeText(broken.Response.Code)
	if broken.Silent {
		d.report.Answer = "no answer"
	}
	d.report.Reason = cmp.Or(string(broken.Response.Body), d.report.Outcome.String())
	if d.report.Outcome == outcome.TooLarge {
		d.report.Reason = tooLarge(g.pipeline.MaxBody())
	}
	g.pipeline.Refusals().Report(d.report)
}

func tooLarge(most int) string { return fmt.Sprintf("the body is larger than %d bytes", most) }

// outcomeOf is the outcome that a code of the message layer comes closest to.
func outcomeOf(code codes.Code) outcome.Outcome {
	switch code {
	case codes.RequestEntityTooLarge:
		return outcome.TooLarge
	case codes.ServiceUnavailable:
		return outcome.Overloaded
	default:
		return outcome.Invalid
	}
}

// codeText is a code as the protocol's documents write it: "4.03".
func codeText(code codes.Code) string { return fmt.Sprintf("%d.%02d", code>>5, code&0x1f) }

// whereOf is the method and the path of a request.
func whereOf(r *protocol.Request) string {
	var path strings.Builder
	for segment := range r.Option(message.URIPath) {
		path.WriteByte('/')
		path.Write(segment)
	}
	return r.Code.String() + " " + cmp.Or(path.String(), "/")
}

// loginRequest is what the session has proven, as it may be changed meanwhile.
func (s *session) loginRequest() auth.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request
}

// reportEnd reports a session that ends because its device is not admitted any more.
func (s *session) reportEnd(err error) {
	d := requestReport{s.gateway, refusal.Report{Protocol: refusal.CoAP, Where: "session", Remote: s.conn.Remote().Addr().String()}}
	d.of(s.loginRequest())
	result := outcome.ResultOf(err)
	if err == nil { // admitted, but as another device
		result = outcome.Result{Outcome: outcome.Unauthenticated, Reason: "the device is another one now"}
	}
	d.report.Outcome, d.report.Answer, d.report.Reason = result.Outcome, "DTLS session closed", refusal.Explain(result)
	s.gateway.pipeline.Refusals().Report(d.report)
}

// reportHandshake reports a DTLS handshake that did not succeed.
func (g *Gateway) reportHandshake(f psk.Failure) {
	report := auth.ReportOf(&f)
	report.Protocol, report.Where, report.Answer = refusal.CoAP, "DTLS handshake", "no session"
	g.pipeline.Refusals().Report(report)
}

// An unreadableLogin says, to the operator, why a request names no device.
type unreadableLogin string

func (u unreadableLogin) Error() string { return string(u) }

// explainLogin adds to the refusal of a log-in that could not be read what is wrong with its form.
func explainLogin(given, proven bool, err error) error {
	if outcome.Of(err) != outcome.Unauthenticated {
		return err
	}
	text := unreadableLogin("the Authorization option is not Basic with DEVICE@APPLICATION as the user")
	switch {
	case proven:
		text = "a device that has proven itself in the handshake may not log in once more"
	case !given:
		text = "no Authorization option, and nothing proven in a DTLS handshake"
	}
	return outcome.Wrap(outcome.Unauthenticated, "", text)
}
