package authfn

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/auth"
)

// renewers are how many renewals of one question are judged at once.
const renewers = 16

// renewals answers many renewals. What cannot be decided is said of each; the answer as a whole is always there.
func (h *Handler) renewals(w http.ResponseWriter, r *http.Request) {
	var question auth.WireRenewals
	if !read(w, r, auth.MaxRenewalsBody, &question) {
		return
	}
	if len(question.Requests) > auth.MaxRenewals {
		unread(w, errNoQuestion)
		return
	}
	for _, q := range question.Requests {
		if !complete(q) || q.Credential == nil {
			unread(w, errNoQuestion)
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.config.Timeout)
	defer cancel()
	write(w, auth.WireRenewed{Answers: h.renew(ctx, question.Requests)})
}

func (h *Handler) renew(ctx context.Context, requests []auth.WireRequest) []auth.WireRenewal {
	answers := make([]auth.WireRenewal, len(requests))
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(renewers, len(requests)) {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				requests[i].Renewal = true
				answers[i] = auth.Renewed(h.ask(ctx, requests[i]))
			}
		})
	}
	working.Wait()
	return answers
}
