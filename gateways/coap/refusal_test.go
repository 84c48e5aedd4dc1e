package coap

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/fairlead/fairlead/internal/dtls"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/test/authority"
)

// TestReportsRefusedRequests has every step refuse a request, and looks at what the operator is told.
func TestReportsRefusedRequests(t *testing.T) {
	s := start(t, nil)
	s.device("other", `{}`)
	conn := s.dial()
	f := func(a ask, want refusal.Report) {
		t.Helper()
		do(t, conn, a)
		want.Protocol, want.Remote = refusal.CoAP, "127.0.0.1"
		if diff := cmp.Diff(want, s.reported()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a.path, diff)
		}
	}
	login := basic("device@app", "secret")
	f(post("/v1/x", "x", basic("device@app", "wrong")), refusal.Report{
		Where: "POST /v1/x", Application: "app", Device: "device", Outcome: outcome.Unauthenticated, Answer: "4.03", Reason: "wrong password"})
	f(post("/v1/x", "x", basic("nobody@app", "wrong")), refusal.Report{
		Where: "POST /v1/x", Application: "app", Device: "nobody", Outcome: outcome.Unauthenticated, Answer: "4.03", Reason: "unknown device"})
	f(post("/v1/x", "x"), refusal.Report{
		Where: "POST /v1/x", Outcome: outcome.Unauthenticated, Answer: "4.03", Reason: "no Authorization option, and nothing proven in a DTLS handshake"})
	f(post("/v1/x", "x", basic("device", "secret")), refusal.Report{
		Where: "POST /v1/x", Outcome: outcome.Unauthenticated, Answer: "4.03", Reason: "the Authorization option is not Basic with DEVICE@APPLICATION as the user"})
	f(post("/v1/x", "x", login).query("as=other"), refusal.Report{
		Where: "POST /v1/x", Application: "app", Device: "device", As: "other", Outcome: outcome.Unauthenticated, Answer: "4.03", Reason: "gateway without permission"})
	f(post("/v2/x", "x", login), refusal.Report{
		Where: "POST /v2/x", Outcome: outcome.Invalid, Answer: "4.00", Reason: "the path is not /v1/{channel}"})
	f(ask{code: codes.GET, path: "/v1/x", format: -1, options: []message.Option{login}}, refusal.Report{
		Where: "GET /v1/x", Outcome: outcome.Invalid, Answer: "4.05", Reason: "devices publish with POST or PUT, and GET /v1/commands"})
	f(post("/v1/x", "x", login).query("ct=soon"), refusal.Report{
		Where: "POST /v1/x", Outcome: outcome.Invalid, Answer: "4.00", Reason: "ct is not a number of seconds"})
	broken := post("/v1/x", "{", login)
	broken.format = int(message.AppJSON)
	f(broken, refusal.Report{
		Where: "POST /v1/x", Application: "app", Device: "device", Outcome: outcome.Rejected, Answer: "4.06", Reason: "the content type is JSON but the body is not"})
	f(post("/v1/x", "x", login, message.Option{ID: 9, Value: []byte("x")}), refusal.Report{
		Where: "POST /v1/x", Outcome: outcome.Invalid, Answer: "4.02", Reason: "option 9 is not understood"})
	f(post("/v1/x", strings.Repeat("x", 70_000), login), refusal.Report{
		Where: "POST /v1/x", Outcome: outcome.TooLarge, Answer: "4.13", Reason: "the body is larger than 65536 bytes"})
	s.writer.fail(outcome.New(outcome.Unavailable, "Kafka is away"))
	f(post("/v1/x", "x", login), refusal.Report{
		Where: "POST /v1/x", Application: "app", Device: "device", Outcome: outcome.Unavailable, Answer: "5.03", Reason: "Kafka is away"})
	s.writer.fail(nil)
	if got := do(t, conn, post("/v1/x", "x", login)); len(s.reports) != 0 {
		t.Errorf("%v is reported", got.code)
	}
}

// TestReportsRefusedSessions has handshakes fail, and a session that is admitted no longer.
func TestReportsRefusedSessions(t *testing.T) {
	// The handshakes end by what the clients show, long before their time is over.
	s := start(t, func(c *Config) { c.Session = dtls.DefaultConfig(); c.Session.HandshakeTimeout = waitLimit })
	ignore := cmpopts.IgnoreFields(refusal.Report{}, "Protocol", "Remote")
	expect := func(want refusal.Report) {
		t.Helper()
		if diff := cmp.Diff(want, s.reported(), ignore); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	fails := func(identity, key, application, device, reason string) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		var shaking sync.WaitGroup
		shaking.Go(func() { _, _ = s.handshakeUntil(ctx, preShared(identity, key)...) })
		defer shaking.Wait()
		defer stop()
		expect(refusal.Report{Where: "DTLS handshake", Application: application, Device: device, Outcome: outcome.Unauthenticated, Answer: "no session", Reason: reason})
	}
	fails("device@app", "wrong", "app", "device", "the client has another pre-shared key than the device")
	fails("nobody@app", "key", "app", "nobody", "unknown device")
	fails("device", "key", "", "device", "the identity is not DEVICE@APPLICATION")

	conn := s.secure(preShared("device@app", "key")...)
	do(t, conn, post("/v1/x", "x", basic("device@app", "secret")))
	expect(refusal.Report{Where: "POST /v1/x", Outcome: outcome.Unauthenticated, Answer: "4.03",
		Reason: "a device that has proven itself in the handshake may not log in once more"})
	s.device("device", `{"core":{"disabled":true},"authentication":{"credentials":[{"psk":{"key":"a2V5"}}]}}`)
	expect(refusal.Report{Where: "session", Application: "app", Device: "device", Outcome: outcome.Unauthenticated, Answer: "DTLS session closed", Reason: "device disabled"})

	strangers := authority.New(t, "Strangers")
	do(t, s.secure(s.withCertificate(strangers.Issue("device", nil))...), post("/v1/x", "x"))
	if r := s.reported(); r.Where != "POST /v1/x" || r.Answer != "4.03" || r.Outcome != outcome.Unauthenticated || r.Reason == "" {
		t.Errorf("of a certificate that nobody trusts: %+v", r)
	}
}
