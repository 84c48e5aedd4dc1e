//go:build integration

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// TestManagedDevice takes a device through its life by the API, and sees what its messages are answered with.
func TestManagedDevice(t *testing.T) {
	o := officeOf(t, here.store)
	o.settings = append(o.settings, here.registry()...)
	f := o.open()
	name := "managed"
	config := kafka.DefaultConfig()
	config.Brokers = here.kafka.Brokers()
	if err := kafka.EnsureTopics(bounded(t), config, 1, event.Topic(name)); err != nil {
		t.Fatal(err)
	}
	device := "/" + name + "/devices/d"
	telemetries(t, func(t *testing.T, telemetry *functionbin.Function) {
		url, login := telemetry.URL()+"/v1/x", "d@"+name+":p"
		refused(t, "before it exists", post(t, url, login, "x"))
		o.do(f, "POST", "", `{"metadata":{"name":"`+name+`"}}`, 201)
		o.do(f, "POST", "/"+name+"/devices", `{"metadata":{"name":"d"},"spec":`+password("p")+`}`, 201)
		eventuallyAdmitted(t, url, login)
		o.do(f, "PATCH", device, `{"spec":{"core":{"disabled":true}}}`, 204)
		eventuallyRefused(t, url, login)
		o.do(f, "PATCH", device, `{"spec":{"core":null}}`, 204)
		eventuallyAdmitted(t, url, login)
		o.do(f, "PATCH", "/"+name, `{"spec":{"core":{"disabled":true}}}`, 204)
		eventuallyRefused(t, url, login)
		o.do(f, "PATCH", "/"+name, `{"spec":{"core":{"disabled":false}}}`, 204)
		eventuallyAdmitted(t, url, login)
		o.do(f, "DELETE", device, "", 204)
		eventuallyRefused(t, url, login)
		o.do(f, "DELETE", "/"+name, "", 204)
	})
	o.settled()
	all := o.told()
	if events := all["drogue/"+name+"/d"]; len(events) < 4 || events[0].kind != "io.drogue.registry.change.device" || events[0].path != "." || events[1].path != ".spec.core" {
		t.Errorf("events of the device: %+v", events)
	}
	if events := all["drogue/"+name]; len(events) < 4 || events[0].kind != "io.drogue.registry.change.application" {
		t.Errorf("events of the application: %+v", events)
	}
}

// eventuallyAdmitted waits until a log-in is admitted. Until then it is refused.
func eventuallyAdmitted(t *testing.T, url, credentials string) {
	t.Helper()
	eventually(t, http.StatusAccepted, http.StatusForbidden, url, credentials)
}

// TestKilledBetweenCommitAndPublish kills the registry after it has answered and before Kafka knows of anything.
func TestKilledBetweenCommitAndPublish(t *testing.T) {
	o := newOffice(t)
	f := o.open()
	resume := pause(t, here.kafka.Process)
	o.do(f, "POST", "", `{"metadata":{"name":"app"}}`, 201)
	o.do(f, "POST", "/app/devices", `{"metadata":{"name":"d"}}`, 201)
	o.do(f, "PATCH", "/app/devices/d", `{"metadata":{"labels":{"a":"b"}},"spec":{"x":1}}`, 204)
	o.do(f, "DELETE", "/app/devices/d", "", 204)
	f.Kill()
	if n := o.waiting(); n != 4 {
		t.Fatalf("%d changes wait to be told, want 4", n)
	}
	resume()
	if err := f.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	o.settled()
	all := o.told()
	wantInOrder(t, "app", all["drogue/app"], 1)
	wantInOrder(t, "d", all["drogue/app/d"], 3)
	paths := map[string]bool{}
	for _, e := range all["drogue/app/d"] {
		paths[fmt.Sprint(e.revision, e.path)] = true
	}
	for _, path := range []string{"1.", "2.metadata", "2.spec.x", "3."} {
		if !paths[path] {
			t.Errorf("%s is not told of: %v", path, paths)
		}
	}
}

// TestStoppedBetweenCommitAndPublish stops the registry as a cluster does. What it cannot tell, the next one tells.
func TestStoppedBetweenCommitAndPublish(t *testing.T) {
	o := newOffice(t)
	f := o.open()
	resume := pause(t, here.kafka.Process)
	o.do(f, "POST", "", `{"metadata":{"name":"app"}}`, 201)
	stop(t, f)
	resume()
	if n := o.waiting(); n != 1 {
		t.Errorf("%d changes wait to be told, want 1", n)
	}
	o.open()
	o.settled()
	wantInOrder(t, "app", o.told()["drogue/app"], 1)
}

// TestRegistryKilledUnderLoad kills one of two functions again and again while both write. Nothing that was answered with
// success is lost, and nothing is told out of order.
func TestRegistryKilledUnderLoad(t *testing.T) {
	const writers, kills = 4, 5
	o := newOffice(t)
	functions := []*functionbin.Function{o.open(), o.open()}
	o.do(functions[0], "POST", "", `{"metadata":{"name":"app"}}`, 201)
	for i := range writers {
		o.do(functions[0], "POST", "/app/devices", fmt.Sprintf(`{"metadata":{"name":"d%d"}}`, i), 201)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var confirmed [writers]int
	var total atomic.Int64
	for i := range writers {
		group.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				f := functions[rand.IntN(len(functions))]
				if status, _ := o.try(t.Context(), f, "PATCH", fmt.Sprintf("/app/devices/d%d", i), fmt.Sprintf(`{"spec":{"n":%d}}`, n)); status == 204 {
					confirmed[i] = n
					total.Add(1)
				}
			}
		})
	}
	for range kills {
		seen := total.Load()
		neighbour.Eventually(t, "some changes", func() bool { return total.Load() > seen+20 })
		functions[0].Kill()
		if err := functions[0].Start(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	group.Wait()
	o.settled()
	all := o.told()
	repeated := 0
	for i := range writers {
		name := fmt.Sprintf("d%d", i)
		stored, err := o.store.Device(bounded(t), "app", name)
		if err != nil {
			t.Fatal(err)
		}
		// The writer's last word is what is stored, unless an answer was lost and something later was stored.
		var n int
		if _, err := fmt.Sscan(string(stored.Spec["n"]), &n); err != nil || n < confirmed[i] {
			t.Errorf("%s: %s is stored, and %d was answered with success", name, stored.Spec["n"], confirmed[i])
		}
		repeated += wantInOrder(t, name, all["drogue/app/"+name], stored.Metadata.Revision)
	}
	t.Logf("%d changes, %d kills, %d events repeated", total.Load(), kills, repeated)
}

// TestOneOfManyWritersWins has writers at two functions change the version that all of them have read.
func TestOneOfManyWritersWins(t *testing.T) {
	const writers, rounds = 8, 10
	o := newOffice(t)
	functions := []*functionbin.Function{o.open(), o.open()}
	o.do(functions[0], "POST", "", `{"metadata":{"name":"app"}}`, 201)
	o.do(functions[0], "POST", "/app/devices", `{"metadata":{"name":"d"}}`, 201)
	for round := range rounds {
		stored, err := o.store.Device(bounded(t), "app", "d")
		if err != nil {
			t.Fatal(err)
		}
		var won, lost atomic.Int64
		var winner atomic.Value
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				body := fmt.Sprintf(`{"metadata":{"name":"d","resourceVersion":%q,"labels":{"by":"%d-%d"}}}`, stored.Metadata.ResourceVersion, round, i)
				status, answer := o.try(t.Context(), functions[i%2], "PUT", "/app/devices/d", body)
				switch {
				case status == 204:
					won.Add(1)
					winner.Store(fmt.Sprintf("%d-%d", round, i))
				case status == 409 && strings.Contains(answer, "Conflict"):
					lost.Add(1)
				default:
					t.Errorf("writer %d: %d %s", i, status, answer)
				}
			})
		}
		group.Wait()
		after, err := o.store.Device(bounded(t), "app", "d")
		if err != nil {
			t.Fatal(err)
		}
		if won.Load() != 1 || lost.Load() != writers-1 || after.Metadata.Labels["by"] != winner.Load() || after.Metadata.Revision != stored.Metadata.Revision+1 {
			t.Errorf("round %d: %d won and %d lost; the document is of %q, revision %d", round, won.Load(), lost.Load(), after.Metadata.Labels["by"], after.Metadata.Revision)
		}
	}
}

// TestRegistryWithoutItsNeighbours takes the neighbours away, one by one.
func TestRegistryWithoutItsNeighbours(t *testing.T) {
	o := newOffice(t)
	f := o.open()
	o.do(f, "POST", "", `{"metadata":{"name":"app"}}`, 201)
	o.settled()

	resume := pause(t, here.redis.Process)
	o.do(f, "POST", "/app/devices", `{"metadata":{"name":"d"}}`, 201)
	ready(t, f)
	if n := o.waiting(); n != 1 {
		t.Errorf("%d changes wait to be told while Redis is away, want 1", n)
	}
	resume()
	o.settled()

	resume = pause(t, here.kafka.Process)
	o.do(f, "PATCH", "/app/devices/d", `{"spec":{"x":1}}`, 204)
	ready(t, f)
	resume()
	o.settled()
	wantInOrder(t, "d", o.told()["drogue/app/d"], 2)

	resume = pause(t, here.postgres.Process)
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if status, answer := o.try(ctx, f, "GET", "/app", ""); status != 503 || strings.Contains(answer, "postgres") {
		t.Errorf("without a database: %d %s, want 503", status, answer)
	}
	resume()
	neighbour.Eventually(t, "the registry to answer again", func() bool {
		status, _ := o.try(t.Context(), f, "GET", "/app", "")
		return status == 200
	})
}
