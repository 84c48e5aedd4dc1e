package ttn

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/downlink"
)

// A addresses has what is to be kept, and fails if it has an error.
type addresses struct {
	kept map[downlink.Device]downlink.Address
	err  error
}

func (k *addresses) Keep(_ context.Context, of downlink.Device, a downlink.Address) error {
	k.kept[of] = a
	return k.err
}

const downlinkURL = "https://stack.example/api/v3/as/applications/a/webhooks/w/devices/dev1/down/push"

// TestKeepsDownlinks has webhooks say where downlinks go.
func TestKeepsDownlinks(t *testing.T) {
	f := func(user, url string, failure error, status int, want map[downlink.Device]downlink.Address) {
		t.Helper()
		b, k := newBench(), &addresses{map[downlink.Device]downlink.Address{}, failure}
		b.handler.KeepDownlinks(k)
		r := httptest.NewRequest(http.MethodPost, "/ttn/v3", strings.NewReader(string(sample(t, "v3-uplink_message-drogue-1"))))
		r.SetBasicAuth(user, gatewayPassword)
		r.Header.Set("X-Downlink-Push", url)
		r.Header.Set("X-Downlink-Apikey", "NNSXS.KEY")
		if got := b.do(r); got.StatusCode != status {
			t.Errorf("%s: status %d, want %d", url, got.StatusCode, status)
		}
		for of, a := range want {
			if k.kept[of] != a {
				t.Errorf("%s: kept %v, want %v", url, k.kept, want)
			}
		}
		if len(k.kept) != len(want) {
			t.Errorf("%s: kept %v, want %v", url, k.kept, want)
		}
	}
	ours := map[downlink.Device]downlink.Address{{Application: "uid-app", UID: "uid-dev1"}: {URL: downlinkURL, Key: "NNSXS.KEY"}}
	f(gatewayName+"@app", downlinkURL, nil, http.StatusAccepted, ours)
	f(gatewayName+"@app", downlinkURL, errors.New("redis is away"), http.StatusAccepted, ours)
	f(gatewayName+"@app", "", nil, http.StatusAccepted, nil)
	f(gatewayName+"@app", "http://stack.example/down/push", nil, http.StatusAccepted, nil)
	f("other@app", downlinkURL, nil, http.StatusForbidden, nil)
}
