package downlink

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/header"
)

// The headers of a webhook that say where downlinks go.
const (
	headerPush    = "X-Downlink-Push"    // adds to the device's queue
	headerReplace = "X-Downlink-Replace" // empties it first
	headerKey     = "X-Downlink-Apikey"
)

// Limits of what a webhook says, in bytes.
const (
	maxURL = 2048
	maxKey = 1024
)

// An Address is where downlinks for a device go.
type Address struct {
	URL string `json:"url"` // https; the path is that of a downlink operation
	Key string `json:"key"` // API key
}

// String keeps the key out of logs.
func (a Address) String() string { return a.URL }

// GoString keeps the key out of logs.
func (a Address) GoString() string { return a.URL }

// ErrNoAddress says that a webhook names no address.
var ErrNoAddress = errors.New("the webhook does not say where downlinks go")

// FromHeaders reads what a webhook of The Things Stack says. Other errors than ErrNoAddress say what makes an address unusable, and
// nothing of it.
func FromHeaders(h http.Header) (Address, error) {
	push, pushed := header.Single(h, headerPush)
	replace, replaced := header.Single(h, headerReplace)
	key, single := header.Single(h, headerKey)
	a := Address{URL: push, Key: key}
	if push == "" {
		a.URL = replace
	}
	switch {
	case !pushed || !replaced || !single:
		return Address{}, errors.New("a downlink header stands there more than once")
	case a.URL == "" || key == "":
		return Address{}, ErrNoAddress
	}
	if err := a.validate(); err != nil {
		return Address{}, err
	}
	return a, nil
}

func (a *Address) validate() error {
	u, err := url.Parse(a.URL)
	switch {
	case len(a.URL) > maxURL || err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		return errors.New("the downlink address is no https URL")
	case !strings.HasSuffix(u.Path, "/down/push") && !strings.HasSuffix(u.Path, "/down/replace"):
		return errors.New("the downlink address is not that of a downlink operation")
	case len(a.Key) > maxKey || !httpguts.ValidHeaderFieldValue(a.Key):
		return errors.New("the downlink key is not one that a header can have")
	}
	return nil
}
