package devcloud

import (
	"net/http"
	"testing"
)

// TestPathsReachTheFunctionsAsTheyAre asks for paths that a ServeMux would redirect: ".." of an application becomes the application.
func TestPathsReachTheFunctionsAsTheyAre(t *testing.T) {
	d := start(t, anywhere())
	f := func(method, url string, want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("device1@example-app", "hey-rodney")
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s %s: %s, want %d", method, url, response.Status, want)
		}
	}
	api, devices := d.Note().API, d.Note().HTTP
	f("GET", api+"/api/registry/v1alpha1/apps/example-app/devices/..", http.StatusForbidden)
	f("DELETE", api+"/api/registry/v1alpha1/apps/example-app/devices/../../example-app", http.StatusNotFound)
	f("GET", api+"//api/registry/v1alpha1/apps", http.StatusNotFound)
	f("POST", devices+"/v1/..", http.StatusAccepted)
	f("POST", devices+"/v1//x", http.StatusNotFound)
	f("GET", devices+"/", http.StatusOK)
	f("HEAD", devices+"/health/liveness", http.StatusOK)
	f("GET", devices+"/health/readiness", http.StatusOK)
}
