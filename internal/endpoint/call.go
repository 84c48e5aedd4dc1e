package endpoint

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/tracing"
)

// A Call is one request of a device, from its arrival to its answer. Whatever refuses it is reported.
type Call struct {
	w        http.ResponseWriter
	r        *http.Request
	pipeline *ingest.Pipeline
	protocol string
	received time.Time
	span     trace.Span

	who     auth.Request  // as presented
	session *auth.Session // nil until the device is admitted
}

// Begin begins the call of a request over a protocol, and its span below the trace context that the request brings.
func Begin(w http.ResponseWriter, r *http.Request, protocol string, pipeline *ingest.Pipeline) *Call {
	c := &Call{w: w, pipeline: pipeline, protocol: protocol, received: time.Now()}
	c.r, c.span = Trace(r, protocol)
	return c
}

// Request is the request with the trace context of the call.
func (c *Call) Request() *http.Request { return c.r }

// End ends the span.
func (c *Call) End() { c.span.End() }

// Admit authenticates the device of the request, which speaks for q.As if that is not "". A request whose log-in cannot be
// read goes to the authenticator all the same, as one that nobody answers to, so that it is refused like every other.
func (c *Call) Admit(q Query, devices auth.Authenticator, timeout time.Duration) (*auth.Session, error) {
	authorization, single := header.Single(c.r.Header, header.Authorization)
	request, unread := c.login(authorization, q)
	if unread != nil || !single {
		request = auth.Request{}
	}
	request.As, request.Remote, request.Protocol = q.As, Remote(c.r), c.protocol
	c.who = request
	traced, span := tracing.New().Start(c.r.Context(), tracing.Admission)
	ctx := auth.WithLazyTimeout(traced, timeout)
	defer ctx.Cancel()
	session, err := devices.Authenticate(ctx, request)
	o := outcome.Of(err)
	tracing.End(span, o.String(), o == outcome.Unavailable || o == outcome.Internal)
	if o == outcome.Unauthenticated && request.Credential == nil {
		err = outcome.Wrap(o, "", explained(c.r, single, unread))
	}
	c.session = session
	return session, err
}

// Renewal asks again about the device that Admit has admitted. It holds no password.
func (c *Call) Renewal() auth.Request { return c.session.Renew(c.who) }

// login reads who the request is from: by its Authorization header, or by what its client has proven in the TLS handshake. Both at once are
// no log-in, nor is what is proven with another device's name.
func (c *Call) login(authorization string, q Query) (auth.Request, error) {
	proven, err := provenIn(c.r)
	switch {
	case err != nil:
		return auth.Request{}, err
	case proven.none():
		return auth.FromHTTP(authorization, q.Application, q.Device)
	case authorization != "" || q.Device != "":
		return auth.Request{}, unreadableLogin("a client certificate or a pre-shared key beside another log-in")
	case proven.identity != "" && q.Application != "":
		return auth.Request{}, unreadableLogin("a pre-shared key beside the name of an application")
	case proven.identity != "":
		return auth.FromIdentity(proven.identity, auth.Proof(proven.proof))
	case q.Application != "":
		return auth.FromCertificatesOf(q.Application, proven.chain)
	default:
		return auth.FromCertificates(proven.chain)
	}
}

// An unreadable log-in says, to the operator, what is wrong with its form.
type unreadableLogin string

func (u unreadableLogin) Error() string { return string(u) }

// explained says, to the operator, why the log-in of a request could not be read.
func explained(r *http.Request, single bool, unread error) error {
	proven, _ := provenIn(r)
	switch reason, ok := errors.AsType[unreadableLogin](unread); {
	case !single:
		return unreadableLogin("more than one Authorization header")
	case ok:
		return reason
	case proven.identity != "":
		return unreadableLogin("the identity of the pre-shared key is not DEVICE@APPLICATION")
	case len(proven.chain) > 0:
		return unreadableLogin("a client certificate that cannot be read")
	case r.Header.Get(header.Authorization) == "":
		return unreadableLogin("no Authorization header")
	default:
		return unreadableLogin("the Authorization header is not Basic with DEVICE@APPLICATION as the user")
	}
}

// Publish publishes a message of the admitted device.
func (c *Call) Publish(session *auth.Session, m ingest.Message) outcome.Result {
	m.Protocol, m.Received = c.protocol, c.received
	return c.pipeline.Do(c.r.Context(), session, nil, m)
}

// Answer answers with what became of the message.
func (c *Call) Answer(r outcome.Result) {
	c.report(r)
	outcome.WriteHTTP(c.w, r)
}

// AnswerLogin answers a log-in that did not succeed.
func (c *Call) AnswerLogin(err error) {
	r := outcome.ResultOf(err)
	c.report(r)
	outcome.WriteAuthenticationHTTP(c.w, r)
}

// AnswerWith answers with a document of the adapter's own.
func (c *Call) AnswerWith(status int, document outcome.Document) {
	c.refuse(outcome.Invalid, status, document.Message)
	outcome.WriteDocument(c.w, status, document)
}

// Refuse answers a request that is no publish with a status and nothing else.
func (c *Call) Refuse(status int, reason string) {
	c.refuse(outcome.Invalid, status, reason)
	c.w.WriteHeader(status)
}

func (c *Call) report(r outcome.Result) {
	if !r.Outcome.Good() {
		c.refuse(r.Outcome, r.Outcome.HTTP(), refusal.Explain(r))
	}
}

func (c *Call) refuse(o outcome.Outcome, status int, reason string) {
	report := refusal.Report{
		Protocol: c.protocol, Where: c.r.Method + " " + c.r.URL.EscapedPath(), Remote: Remote(c.r),
		Application: c.who.Application, Device: c.who.Device, As: c.who.As,
		Outcome: o, Answer: strconv.Itoa(status), Reason: reason,
	}
	if c.session != nil {
		report.Application, report.Device = c.session.Application.Metadata.Name, c.session.Device.Metadata.Name
	}
	c.pipeline.Refusals().Report(report)
}

// Remote is the address of the sender without its port, "" if it is not known. Whose word counts for it, where there are
// proxies, is decided before (internal/forwarded).
func Remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
