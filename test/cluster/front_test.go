//go:build cluster

package cluster

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/authority"
)

// front has a device with a certificate wake functions/telemetry through the HTTP gateway.
func (w *world) front(t *testing.T) {
	devices := authority.New(t, w.tenant.name)
	must(t, http.MethodPut, w.tenant.api+"/"+w.tenant.name, w.tenant.admin, jsonContent, fmt.Sprintf(
		`{"metadata":{"name":%q},"spec":{"trustAnchors":{"anchors":[{"certificate":%q}]}}}`,
		w.tenant.name, base64.StdEncoding.EncodeToString(devices.PEM())))
	w.tenant.device(t, "front", fmt.Sprintf(`{"alias":[%q]}`, authority.DistinguishedName("front")))
	asleep(t, "fairlead-telemetry")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // the overlay draws the server's certificate
		Certificates:       []tls.Certificate{devices.Issue("front", nil)},
	}}}
	started := time.Now()
	response, err := client.Post("https://"+port(t, "fairlead-http", "https")+"/v1/front", "application/json", strings.NewReader(`{"n":1}`))
	if err != nil {
		t.Fatalf("%v. Look at: kubectl -n fairlead logs deployment/fairlead-gateway-http", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("answered with %s. Look at: kubectl -n fairlead logs deployment/fairlead-gateway-http", response.Status)
	}
	t.Logf("accepted after %v", time.Since(started).Round(time.Millisecond))
	w.arrives(t, "the message", func(e event) bool { return e.Device == "front" })
}
