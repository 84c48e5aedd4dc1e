package kubetest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/kube"
)

// Namespace is the only one of the server.
const Namespace = "tenants"

// A Server keeps objects in memory. Its fields are for before it is used.
type Server struct {
	URL string
	// Token must come with every request, if there is one.
	Token string
	// Admit may refuse a request: it returns the status of HTTP, 0 to go on, and a message. The object is the applied one, or
	// what is stored. It may change an applied object, as a controller would soon after.
	Admit func(method string, o kube.Object) (status int, message string)

	mu      sync.Mutex
	kinds   map[string][]map[string]any // by API version
	objects map[string]*stored          // by resource and name
	writes  []string
	counter int
}

// stored is an object with what its manager has applied.
type stored struct {
	live, applied map[string]any
	looks         int // how often it is still seen, after it was deleted with its dependents
}

// dependentLooks is how often an object is read that is deleted with its dependents, until these are gone.
const dependentLooks = 2

// New starts a server that knows some kinds, and stops it when the test ends. Plurals are the kinds in lower case with an s.
func New(t testing.TB, known ...kube.Kind) *Server {
	s := &Server{kinds: map[string][]map[string]any{}, objects: map[string]*stored{}}
	for _, k := range known {
		plural := strings.ToLower(k.Kind) + "s"
		s.kinds[k.APIVersion] = append(s.kinds[k.APIVersion],
			map[string]any{"name": plural, "kind": k.Kind, "namespaced": true},
			map[string]any{"name": plural + "/status", "kind": k.Kind, "namespaced": true})
	}
	h := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Writes are the requests that changed something, in order, as "apply Broker a" and "delete Broker a", and as "gone Broker a" when one has
// ended that was deleted with its dependents. They are forgotten then.
func (s *Server) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes
	s.writes = nil
	return writes
}

// Objects are all objects, by kind and name as in "Broker a".
func (s *Server) Objects() map[string]kube.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]kube.Object{}
	for _, o := range s.objects {
		live := kube.Object(clone(o.live))
		all[live.String()] = live
	}
	return all
}

// Put stores an object as if somebody else had written it.
func (s *Server) Put(o kube.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := "/apis/" + o.Kind().APIVersion + "/" + strings.ToLower(o.Kind().Kind) + "s/" + o.Name()
	at := s.objects[key]
	if at == nil {
		at = &stored{}
		s.objects[key] = at
	}
	at.live = s.stamp(at.live, clone(o))
}

// Remove takes an object away, as "Broker a".
func (s *Server) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, o := range s.objects {
		if kube.Object(o.live).String() == name {
			delete(s.objects, key)
		}
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return
	}
	version, rest, namespaced := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/"), "/namespaces/"+Namespace+"/")
	known, ok := s.kinds[version]
	plural, name, _ := strings.Cut(rest, "/")
	at := slices.IndexFunc(known, func(k map[string]any) bool { return k["name"] == plural })
	switch {
	case !ok || namespaced && at < 0:
		refuse(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	case !namespaced:
		answer(w, map[string]any{"kind": "APIResourceList", "resources": known})
	case name == "":
		s.list(w, r, version, plural)
	default:
		s.object(w, r, "/apis/"+version+"/"+plural+"/"+name)
	}
}

func (s *Server) object(w http.ResponseWriter, r *http.Request, key string) {
	at := s.objects[key]
	body, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodPatch {
		s.apply(w, r, key, body)
		return
	}
	if at == nil {
		refuse(w, http.StatusNotFound, "NotFound", key+" not found")
		return
	}
	if s.refused(w, r.Method, at.live) {
		return
	}
	if r.Method == http.MethodDelete && !s.delete(w, key, at, body) {
		return
	}
	answer(w, at.live)
	if r.Method == http.MethodGet && at.looks > 0 {
		s.seen(key, at)
	}
}

func (s *Server) apply(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	var given map[string]any
	if r.Header.Get("Content-Type") != "application/apply-patch+yaml" || json.Unmarshal(body, &given) != nil || r.URL.Query().Get("fieldManager") == "" {
		refuse(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType", "only server-side apply is served")
		return
	}
	if s.refused(w, r.Method, given) {
		return
	}
	at := s.objects[key]
	if at == nil {
		at = &stored{}
		s.objects[key] = at
	}
	next := merge(without(clone(at.live), at.applied, given), clone(given))
	at.live, at.applied = s.stamp(at.live, next), given
	s.writes = append(s.writes, "apply "+kube.Object(given).String())
	answer(w, at.live)
}

// delete tells whether the object was, or will be, deleted.
func (s *Server) delete(w http.ResponseWriter, key string, at *stored, body []byte) bool {
	var options struct {
		PropagationPolicy string
		Preconditions     struct{ UID string }
	}
	_ = json.Unmarshal(body, &options)
	live := kube.Object(at.live)
	if uid := options.Preconditions.UID; uid != "" && uid != live.UID() {
		refuse(w, http.StatusConflict, "Conflict", "the UID in the precondition is another one")
		return false
	}
	s.writes = append(s.writes, "delete "+live.String())
	if options.PropagationPolicy == "Foreground" {
		at.looks = dependentLooks
	} else if live.Field("metadata", "finalizers") == nil {
		delete(s.objects, key)
		return true
	}
	at.live["metadata"].(map[string]any)["deletionTimestamp"] = time.Now().UTC().Format(time.RFC3339)
	return true
}

// seen ends an object that waits for its dependents, after some looks at it.
func (s *Server) seen(key string, at *stored) {
	if at.looks--; at.looks == 0 {
		s.writes = append(s.writes, "gone "+kube.Object(at.live).String())
		delete(s.objects, key)
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, version, plural string) {
	var keys []string
	prefix := "/apis/" + version + "/" + plural + "/"
	for key, o := range s.objects {
		if strings.HasPrefix(key, prefix) && selected(o.live, r.URL.Query().Get("labelSelector")) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	first, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("continue"), "0"))
	limit, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), "500"))
	last := min(first+limit, len(keys))
	items := []any{}
	for _, key := range keys[first:last] {
		item := clone(s.objects[key].live)
		delete(item, "apiVersion") // as in a list
		delete(item, "kind")
		items = append(items, item)
	}
	metadata := map[string]any{}
	if last < len(keys) {
		metadata["continue"] = strconv.Itoa(last)
	}
	answer(w, map[string]any{"kind": "List", "metadata": metadata, "items": items})
}

// selected knows selectors of the forms name and name=value.
func selected(o kube.Object, selector string) bool {
	name, value, equals := strings.Cut(selector, "=")
	return o.Label(name) != "" && (!equals || o.Label(name) == value)
}

func (s *Server) refused(w http.ResponseWriter, method string, o kube.Object) bool {
	if s.Admit == nil {
		return false
	}
	status, message := s.Admit(method, o)
	if status != 0 {
		refuse(w, status, "", message)
	}
	return status != 0
}

// stamp sets what the server itself says of an object.
func (s *Server) stamp(before, next map[string]any) map[string]any {
	metadata, _ := next["metadata"].(map[string]any)
	if metadata["uid"] == nil {
		s.counter++
		metadata["uid"] = "uid-" + strconv.Itoa(s.counter)
	}
	if !same(before, next) {
		s.counter++
		metadata["resourceVersion"] = strconv.Itoa(s.counter)
	}
	return next
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message})
}
