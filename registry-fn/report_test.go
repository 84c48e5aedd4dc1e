package registryfn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/outcome"
	report "github.com/fairlead/fairlead/internal/refusal"
)

// TestReportsRefusals looks at what the operator is told of log-ins and rights, and that nothing else is a refusal.
func TestReportsRefusals(t *testing.T) {
	w := newWorld(t)
	share(w)
	var got []report.Report
	w.handler.Refusals = report.NewLog(nil, func(r report.Report) { got = append(got, r) })
	f := func(who, method, path string, want ...report.Report) {
		t.Helper()
		got = nil
		w.as(who, method, path, "")
		for i := range want {
			want[i].Protocol, want[i].Remote, want[i].Answer = report.API, "192.0.2.1", "403"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s as %s (-want +got):\n%s", method, path, who, diff)
		}
	}
	f("alice", "GET", app)
	f("alice", "GET", apps+"/nothing")
	f("stranger", "GET", app, report.Report{
		Where: "GET " + app, Outcome: outcome.Unauthenticated, Reason: "the log-in is not accepted; who judged it has logged why"})
	f("dave", "DELETE", app, report.Report{Where: "DELETE " + app, Device: "dave", Outcome: outcome.Forbidden, Reason: "Not authorized"})
}
