package integration

import (
	"net/url"
	"strconv"
	"testing"
	"time"
)

// TestFrom has consumers of every protocol, with a group and without one, begin where they say.
func TestFrom(t *testing.T) {
	w := newWorld(t, nil)
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 4 {
		r := deviceEvent(strconv.Itoa(i+1), "temp", "d")
		r.Timestamp = begin.Add(time.Duration(i) * time.Minute)
		w.produce(r)
	}
	groups := 0
	f := func(from, want string) {
		t.Helper()
		groups++
		group := "g" + strconv.Itoa(groups)
		path := "/plant?token=ada&from=" + url.QueryEscape(from)
		client, shared := w.subscriber(group, "ada", nil), w.subscriber("", "ada", nil)
		if a, b := client.subscribe("app/plant", "from", from), shared.subscribe("$share/s"+group+"/app/plant", "from", from); a != 1 || b != 1 {
			t.Errorf("%s: SUBACK %#x, %#x", from, a, b)
		}
		socket, member := w.dial(path), w.dial(path+"&group_id=w"+group)
		stream, streamOfGroup := w.stream(path, ""), w.stream(path+"&group_id=e"+group, "")
		w.produce(deviceEvent("9", "temp", "d"))
		first := structured(want, "temp", "d")
		same(t, string(client.next().Payload), first)
		same(t, string(shared.next().Payload), first)
		same(t, w.read(socket), first)
		same(t, w.read(member), first)
		_, data := w.message(stream)
		same(t, data, first)
		_, data = w.message(streamOfGroup)
		same(t, data, first)
	}
	f("earliest", "1")
	f("2", "3")
	between := begin.Add(90 * time.Second)
	f(between.UTC().Format(time.RFC3339), "3")
	f(between.In(time.FixedZone("", 2*60*60)).Format(time.RFC3339), "3")
	f("latest", "9")
	f("", "9")
	f(time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "9")
}
