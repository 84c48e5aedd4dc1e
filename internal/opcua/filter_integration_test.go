//go:build integration

package opcua_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// of are the numbers that came for an item, without the ones that are told again.
func of(r *recorder, key string) (all []float64) {
	for _, v := range r.values {
		if v.Key == key {
			n, _ := v.Value.Value.Float()
			all = append(all, n)
		}
	}
	return all
}

// write writes numbers one after the other. After each told waits until the server has told it.
func write(t *testing.T, conn *opcua.Connection, n opcua.NodeRef, told func(float64), numbers ...float64) {
	t.Helper()
	for _, x := range numbers {
		if status, err := conn.Write(t.Context(), n, fmt.Appendf(nil, "%g", x)); err != nil || !status.Good() {
			t.Fatalf("writing %g: %v, %v", x, status, err)
		}
		told(x)
	}
}

// A value is told when it has changed by more than the deadband since it was told last.
func TestDeadband(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := startServer(t, kind, opcuaserver.Options{})
		c := config(t, server.URL())
		conn := dial(t, c)
		value, absolute, percent := node("Types.Double"), &opcua.Deadband{Value: 5}, &opcua.Deadband{Percent: true, Value: 10}
		want := map[string][]float64{"every": {20, 24, 26, 41, 45, 90}, "absolute": {20, 26, 41, 90}}
		if kind == opcuaserver.NodeOPCUA {
			value = node("Temperature") // of 0 to 200
			want["percent"] = []float64{20, 41, 90}
		} else { // it compares with the value before, whether that was told or not
			want["absolute"] = []float64{20, 41, 90}
		}
		write(t, conn, value, func(float64) {}, 20)
		items := []opcua.Item{}
		for key, d := range map[string]*opcua.Deadband{"every": nil, "absolute": absolute, "percent": percent} {
			if want[key] != nil {
				items = append(items, opcua.Item{Node: value, Publishing: 20 * time.Millisecond, Queue: 100, DiscardOldest: true, Deadband: d, Key: key})
			}
		}
		r := &recorder{}
		run(t, c, items, r)
		eventually(t, "the first values", func() bool { return look(r, countOf) == len(items) })
		write(t, conn, value, func(x float64) {
			eventually(t, fmt.Sprint(x), func() bool { return slices.Contains(look(r, func(r *recorder) []float64 { return of(r, "every") }), x) })
		}, 24, 26, 41, 45, 90)
		for key, numbers := range want {
			eventually(t, key+" to be told all", func() bool { return len(look(r, func(r *recorder) []float64 { return of(r, key) })) >= len(numbers) })
			if got := look(r, func(r *recorder) []float64 { return of(r, key) }); !slices.Equal(got, numbers) {
				t.Errorf("%s: %v, want %v", key, got, numbers)
			}
		}
	})
}

// A deadband in percent is of the range of a value. Where there is none the server refuses it, and says so.
func TestDeadbandWithoutRange(t *testing.T) {
	server := sharedServer(t, opcuaserver.NodeOPCUA)
	r := &recorder{}
	run(t, config(t, server.URL()), []opcua.Item{counter("Press1.Counter"),
		{Node: node("Types.Double"), Queue: 1, Deadband: &opcua.Deadband{Percent: true, Value: 10}}}, r)
	eventually(t, "the connection", func() bool { return look(r, connections) == 1 })
	refused := look(r, func(r *recorder) []opcua.Refusal { return r.refused })
	if len(refused) != 1 || !refused[0].Status.Bad() || refused[0].Item.Node != node("Types.Double") {
		t.Errorf("refused %+v", refused)
	}
}

// A queue that is too short overflows: the server drops what the item says, and the values that are left say so.
func TestQueue(t *testing.T) {
	server := startServer(t, opcuaserver.NodeOPCUA, opcuaserver.Options{})
	c := config(t, server.URL())
	c.Window = 1 // nothing more is asked for while a message is not settled
	conn := dial(t, c)
	value := node("Temperature")
	write(t, conn, value, func(float64) {}, 1)
	item := func(key string, queue uint32, oldest bool) opcua.Item {
		return opcua.Item{Node: value, Publishing: 20 * time.Millisecond, Queue: queue, DiscardOldest: oldest, Key: key}
	}
	r := &recorder{hold: true}
	run(t, c, []opcua.Item{item("long", 100, true), item("oldest", 3, true), item("newest", 3, false), item("one", 0, true)}, r)
	eventually(t, "the first values", func() bool { return look(r, countOf) == 4 })
	write(t, conn, value, func(float64) {}, 2, 3, 4, 5, 6, 7, 8)
	r.release()
	for _, w := range []struct {
		key       string
		numbers   []float64
		overflows bool
	}{
		{"long", []float64{1, 2, 3, 4, 5, 6, 7, 8}, false}, {"oldest", []float64{1, 6, 7, 8}, true}, {"newest", []float64{1, 2, 3, 8}, true},
		{"one", []float64{1, 8}, false}, // a queue of one has no overflow (OPC 10000-4, 7.21)
	} {
		eventually(t, w.key+" to be told all", func() bool {
			return len(look(r, func(r *recorder) []float64 { return of(r, w.key) })) >= len(w.numbers)
		})
		if got := look(r, func(r *recorder) []float64 { return of(r, w.key) }); !slices.Equal(got, w.numbers) {
			t.Errorf("%s: %v, want %v", w.key, got, w.numbers)
		}
		overflow := look(r, func(r *recorder) bool {
			return slices.ContainsFunc(r.values, func(v told) bool { return v.Key == w.key && v.Status.Overflow() })
		})
		if overflow != w.overflows {
			t.Errorf("%s: overflow %t", w.key, overflow)
		}
	}
}
