package registryfn

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

const (
	// page is how many documents are read, and held, at once.
	page = 200
	// pageTimeout is how long a client may take to read one page.
	pageTimeout = 20 * time.Second
	// maxOffset keeps what is skipped within what a database takes for a number of rows.
	maxOffset = 1 << 31
)

// A selection is what a list is to have.
type selection struct {
	query store.Query
	all   bool // until the end, otherwise
	limit int
}

// readSelection reads the query: labels, limit and offset.
func (c *call) readSelection() (s selection, err error) {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return s, invalidRequest("the query does not parse")
	}
	for _, name := range []string{"labels", "limit", "offset"} {
		if len(values[name]) > 1 {
			return s, invalidRequest(name + ": is there more than once")
		}
	}
	if s.query.Selector, err = registry.ParseSelector(values.Get("labels")); err != nil {
		return s, invalidRequest("labels: " + err.Error())
	}
	if s.query.Offset, err = number(values.Get("offset"), maxOffset); err != nil {
		return s, invalidRequest("offset: is not a whole number, or too large")
	}
	s.all = values.Get("limit") == ""
	if s.limit, err = number(values.Get("limit"), maxOffset); err != nil {
		return s, invalidRequest("limit: is not a whole number, or too large")
	}
	return s, nil
}

func number(text string, most uint64) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n > most {
		err = strconv.ErrRange
	}
	return int(n), err
}

func (h *Handler) listApplications(c *call) error {
	s, err := c.readSelection()
	if err != nil {
		return err
	}
	return stream(h, c, s, func(ctx context.Context, q store.Query) ([]*registry.Application, error) {
		found, err := h.Store.Applications(ctx, c.reader(), q)
		if err != nil {
			return nil, err
		}
		return h.openApplications(c, found)
	}, func(a *registry.Application) string { return a.Metadata.Name })
}

func (h *Handler) listDevices(c *call) error {
	s, err := c.readSelection()
	if err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Read, notFound, notFound)
	if err != nil {
		return err
	}
	return stream(h, c, s, func(ctx context.Context, q store.Query) ([]*registry.Device, error) {
		found, err := h.Store.Devices(ctx, t.Application, t.UID, q)
		if !c.may(t, user.Write) {
			for i := range found {
				found[i] = found[i].WithoutSecrets()
			}
		}
		return found, err
	}, func(d *registry.Device) string { return d.Metadata.Name })
}

// openApplications leaves the secrets out of applications that the caller may only read. Few have any: only for those it is
// looked up who the caller is there.
func (h *Handler) openApplications(c *call, found []*registry.Application) ([]*registry.Application, error) {
	for i, a := range found {
		if !a.HasSecrets() {
			continue
		}
		t, err := h.Store.Tenant(c.ctx(), a.Metadata.Name)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		if err != nil || !c.may(t, user.Write) {
			found[i] = a.WithoutSecrets()
		}
	}
	return found, nil
}

// stream answers with a list, page by page, so that one of any length takes the memory of a page. What cannot be read
// after the answer has begun ends the connection in the middle of the document, so that nobody takes a part for the whole.
func stream[T any](h *Handler, c *call, s selection, read func(context.Context, store.Query) ([]T, error), name func(T) string) error {
	q := s.query
	separator := "["
	for {
		q.Limit = page
		if !s.all {
			q.Limit = min(page, s.limit)
		}
		documents, err := readPage(c, q, read)
		if err != nil && separator == "[" {
			return err
		}
		if err != nil {
			h.abort(c, err)
		}
		if separator == "[" {
			c.status = http.StatusOK
			c.w.Header().Set("Content-Type", "application/json")
		}
		for _, document := range documents {
			body, err := encode(document)
			if err != nil {
				h.abort(c, err)
			}
			if _, err := c.w.Write(append([]byte(separator), body...)); err != nil {
				h.abort(c, nil)
			}
			separator = ","
		}
		s.limit -= len(documents)
		if len(documents) < q.Limit || q.Limit == 0 || (!s.all && s.limit == 0) {
			break
		}
		q.After, q.Offset = name(documents[len(documents)-1]), 0
	}
	if separator == "[" {
		_, _ = c.w.Write([]byte("["))
	}
	_, _ = c.w.Write([]byte("]"))
	return nil
}

// readPage reads a page, and gives the client time to read it.
func readPage[T any](c *call, q store.Query, read func(context.Context, store.Query) ([]T, error)) ([]T, error) {
	if q.Limit == 0 {
		return nil, nil
	}
	// Not every server can be told; those that cannot have a limit of their own.
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(pageTimeout))
	return read(c.ctx(), q)
}

// abort ends the connection.
func (h *Handler) abort(c *call, err error) {
	if err != nil {
		h.Log.Warn("a list breaks off", zap.Error(err))
	}
	panic(http.ErrAbortHandler)
}
