package cloud

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
)

const (
	maxEvent    = 2 << 20 // bytes of one event
	watchPause  = 500 * time.Millisecond
	watchPauses = 10 * time.Second // the longest
)

// A Watch says which events are watched.
type Watch struct {
	Application     string
	Channel, Device string // "" is any
	Group           string // "" is none
	From            string // "" is from now on
}

var errNoEvents = errors.New("the installation does not say where its events are: it has no gateway integration, or FAIRLEAD_REGISTRY_ENDPOINTS_WEBSOCKET_INTEGRATION is not set")

// Events calls the gateway of events as the user, where the installation says that it is.
func (s *Session) Events(ctx context.Context) (*Client, error) {
	endpoints, err := Discover(ctx, s.Context().URL)
	if err != nil {
		return nil, err
	}
	if endpoints.WebsocketIntegration == nil || endpoints.WebsocketIntegration.URL == "" {
		return nil, errNoEvents
	}
	base := endpoints.WebsocketIntegration.URL
	if after, ok := strings.CutPrefix(base, "ws"); ok { // ws and wss
		base = "http" + after
	}
	client, err := NewClient(base, s.sign)
	if err == nil {
		client.advise = s.advise
	}
	return client, err
}

// Watch hands on events as they come, until ctx ends or each fails. A connection that breaks is made again; who watches without a group
// misses nothing.
func (c *Client) Watch(ctx context.Context, w Watch, each func(json.RawMessage) error) error {
	last := ""
	for pauses := backoff.New(watchPause, watchPauses); ; {
		heard, err := c.watch(ctx, w, &last, each)
		if heard {
			pauses = backoff.New(watchPause, watchPauses)
		}
		if ctx.Err() != nil {
			return nil
		}
		if !IsTransient(err) || !backoff.Wait(ctx, pauses.Next()) {
			return err
		}
	}
}

// watch is one connection. It tells whether anything came.
func (c *Client) watch(ctx context.Context, w Watch, last *string, each func(json.RawMessage) error) (heard bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+w.path(), nil)
	if err != nil {
		return false, fmt.Errorf("making a request: %w", err)
	}
	if *last != "" {
		request.Header.Set("Last-Event-ID", *last)
	}
	response, err := c.do(request)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		heard = true
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			*last = id
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := each(json.RawMessage(data)); err != nil {
				return heard, err
			}
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return heard, &connectionError{fmt.Errorf("reading events of %s: %w", c.base, err)}
}

func (w *Watch) path() string {
	path := "/" + url.PathEscape(w.Application)
	if w.Channel != "" {
		path += "/" + url.PathEscape(w.Channel)
	}
	query := url.Values{}
	for name, value := range map[string]string{"device": w.Device, "group_id": w.Group, "from": w.From} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}
