package telemetry

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// TestReportsRefusals looks at what the operator is told, once for each refusal and never of a success.
func TestReportsRefusals(t *testing.T) {
	f := func(r *http.Request, setUp func(*fixture), want ...refusal.Report) {
		t.Helper()
		fx := newFixture()
		if setUp != nil {
			setUp(fx)
		}
		var got []refusal.Report
		log := refusal.NewLog(nil, func(r refusal.Report) { got = append(got, r) })
		fx.http = New(DefaultConfig(), fx.door, ingest.New(ingest.DefaultConfig(), fx.writer).ReportTo(log), command.NewHub())
		fx.do(r)
		for i := range want {
			want[i].Protocol, want[i].Remote = refusal.HTTP, "192.0.2.1"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", r.Method, r.URL, diff)
		}
	}
	f(request("POST", "/v1/temp", "x"), nil)
	f(httptest.NewRequest("GET", "/", nil), nil)
	f(httptest.NewRequest("GET", "/v1/temp", nil), nil,
		refusal.Report{Where: "GET /v1/temp", Outcome: outcome.Invalid, Answer: "405", Reason: "devices publish with POST"})
	f(httptest.NewRequest("POST", "/v1/temp", nil), nil,
		refusal.Report{Where: "POST /v1/temp", Outcome: outcome.Unauthenticated, Answer: "403", Reason: "no Authorization header"})
	f(request("POST", "/v1/temp?as=other", "{"), func(fx *fixture) {
		fx.door.err = outcome.Wrap(outcome.Unauthenticated, "", cause("gateway without permission"))
	},
		refusal.Report{Where: "POST /v1/temp", Application: "example-app", Device: "device1", As: "other", Outcome: outcome.Unauthenticated, Answer: "403", Reason: "gateway without permission"})
	f(request("POST", "/v1/temp?ct=x", "x"), nil,
		refusal.Report{Where: "POST /v1/temp", Outcome: outcome.Invalid, Answer: "400", Reason: "ct is not a number of seconds"})
	f(request("POST", "/v1/temp", "x"), func(fx *fixture) { fx.writer.err = outcome.Wrap(outcome.Unavailable, "not stored", cause("no broker")) },
		refusal.Report{Where: "POST /v1/temp", Application: "example-app", Device: "device1", Outcome: outcome.Unavailable, Answer: "503", Reason: "not stored: no broker"})
}

// A cause is an error that only the operator may know.
type cause string

func (c cause) Error() string { return string(c) }
