package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/crossorigin"
	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/internal/user"
)

const (
	webHeaderTimeout = 5 * time.Second
	maxWebHeader     = 32 << 10 // tokens are long
)

// A web serves consumers over HTTP:
//
//	GET /APPLICATION[/CHANNEL]?group_id=&from=&device=
type web struct {
	gateway  *Gateway
	pages    crossorigin.Policy
	sessions sync.WaitGroup
	life     context.Context // ends when everybody has to leave
	end      context.CancelFunc
}

func newWeb(g *Gateway) *web {
	w := &web{gateway: g, pages: crossorigin.Policy{Origins: g.config.Web.Origins, Methods: http.MethodGet, Headers: "Authorization, Last-Event-ID"}}
	w.life, w.end = context.WithCancel(context.Background())
	return w
}

// serve serves a listener until ctx ends, and then waits until every consumer has left. A listener that fails is the error.
func (w *web) serve(ctx context.Context, l net.Listener) error {
	log, _ := zap.NewStdLogAt(w.gateway.Log, zap.DebugLevel) // fails for no level that exists
	server := &http.Server{Handler: w, ReadHeaderTimeout: webHeaderTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: maxWebHeader, ErrorLog: log}
	stop := context.AfterFunc(ctx, func() {
		w.end()
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.gateway.config.DrainTimeout)
		defer cancel()
		if server.Shutdown(draining) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if stop() { // it failed by itself
		w.end()
		_ = server.Close()
	}
	w.sessions.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving consumers over HTTP: %w", err)
}

// A request is what a consumer over HTTP asks for.
type request struct {
	feed.Query
	acknowledge bool // the client acknowledges events
	window      int  // how many it may leave unacknowledged
}

// ServeHTTP admits a consumer, and goes on in its protocol.
func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if w.pages.Answer(out, r) {
		return
	}
	if r.Method != http.MethodGet {
		out.Header().Set("Allow", http.MethodGet)
		w.refuse(out, r, http.StatusMethodNotAllowed, outcome.New(outcome.Invalid, "events are asked for with GET"))
		return
	}
	w.sessions.Add(1)
	defer w.sessions.Done()
	wanted, err := parseRequest(r)
	if err != nil {
		w.refuse(out, r, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), w.gateway.config.AuthTimeout)
	session, err := w.admit(ctx, r, wanted.Application)
	cancel()
	if err != nil {
		w.refuse(out, r, 0, err)
		return
	}
	defer session.Close()
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.socket(out, r, session, wanted)
		return
	}
	w.events(out, r, session, wanted)
}

var errForeignPage = outcome.New(outcome.Forbidden, "pages of this origin have to show a credential")

func (w *web) admit(ctx context.Context, r *http.Request, application string) (*feed.Session, error) {
	credential, err := user.FromHTTP(r)
	if err != nil {
		return nil, err
	}
	if credential == nil && w.pages.Foreign(r) { // one that shows a credential was given it
		return nil, errForeignPage
	}
	session, err := w.gateway.Guard.Open(ctx, credential)
	if err != nil {
		return nil, err
	}
	if registry.ValidateApplicationName(application) != nil {
		err = feed.ErrDenied
	} else {
		err = session.Read(ctx, application)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return session, nil
}

func invalid(reason string) error { return outcome.New(outcome.Invalid, reason) }

// parseRequest reads path and query.
func parseRequest(r *http.Request) (request, error) {
	application, channel, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	wanted := request{window: defaultWindow}
	wanted.Application, wanted.Channel, wanted.Device = application, channel, query.Get("device")
	wanted.Group = query.Get("group_id")
	for _, name := range []string{"device", "group_id", "from", "acknowledge", "window"} {
		if len(query[name]) > 1 {
			return wanted, invalid(name + " is there more than once")
		}
	}
	if wanted.Group != "" {
		if err := feed.ValidateGroup(wanted.Group); err != nil {
			return wanted, invalid("group_id: " + err.Error())
		}
	}
	var err error
	if wanted.From, err = stream.ParseFrom(query.Get("from")); err != nil {
		return wanted, invalid("from: " + err.Error())
	}
	return wanted, wanted.acknowledgements(query.Get("acknowledge"), query.Get("window"))
}

// refuse answers what is not granted. status 0 is what the error says. An application that is not there and one that may not be read
// look the same.
func (w *web) refuse(out http.ResponseWriter, r *http.Request, status int, err error) {
	result := outcome.ResultOf(err)
	switch {
	case errors.Is(err, feed.ErrDenied):
		status = http.StatusNotFound
		application, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		outcome.WriteDocument(out, status, outcome.Document{Error: "NotFound", Message: "Resource not found: Application / " + application})
	case status == http.StatusMethodNotAllowed:
		outcome.WriteDocument(out, status, outcome.Document{Error: "MethodNotAllowed", Message: result.Reason})
	default:
		user.WriteHTTP(out, err)
		status = result.Outcome.HTTP()
	}
	w.gateway.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: "GET " + r.URL.Path, Remote: remoteOf(r), Outcome: result.Outcome, Answer: fmt.Sprint(status),
		Reason: refusal.Explain(result),
	})
}

func remoteOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
