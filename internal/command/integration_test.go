//go:build integration

package command

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

func TestRealRedis(t *testing.T) {
	f := func(mode string, url func(*testing.T) string) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			testReceipts(t, at, mode)
			testNothingIsMissed(t, at, mode)
		})
	}
	f(redis.Single, func(t *testing.T) string { return neighbour.SharedRedis(t).Database(t) })
	f(redis.Cluster, func(t *testing.T) string { return neighbour.NewRedisCluster(t).URL() })
}

// TestRedisRestarts has devices reached again after Redis was killed, and while it is away nobody is told that they were.
func TestRedisRestarts(t *testing.T) {
	f := func(mode string, server *neighbour.Redis) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			first, _ := connect(t, server.URL(), mode)
			second, _ := connect(t, server.URL(), mode)
			_, sender := connect(t, server.URL(), mode)
			const devices = 500
			for i := range devices {
				on := first
				if i%2 == 1 {
					on = second
				}
				listen(t, on, Filter{Application: "app", Gateway: strconv.Itoa(i), Protocol: "mqtt"}, func(Command) bool { return true })
			}
			to := func(i int) Command {
				device := strconv.Itoa(i)
				return Command{Application: "app", Gateway: device, Device: device, Name: "on"}
			}
			for range 3 {
				server.Kill()
				if receipt, err := sender.Send(t.Context(), to(0)); err == nil {
					t.Errorf("sent without Redis: %+v", receipt)
				}
				if err := server.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				for i := range devices {
					neighbour.Eventually(t, "device "+strconv.Itoa(i)+" to be reached", func() bool {
						receipt, err := sender.Send(context.Background(), to(i))
						return err == nil && receipt.Reach.Taken() == 1
					})
				}
			}
		})
	}
	f(redis.Single, neighbour.NewRedis(t))
	f(redis.Cluster, neighbour.NewRedisCluster(t))
}

// TestAnswersOutliveRedis has a device answer while Redis is away: who waits is answered when it is back.
func TestAnswersOutliveRedis(t *testing.T) {
	f := func(mode string, server *neighbour.Redis) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			device, _ := connect(t, server.URL(), mode)
			_, asking := connect(t, server.URL(), mode)
			c := Command{Application: "app", Gateway: "d", Device: "d", Name: "get"}
			expected, err := asking.Expect(t.Context(), &c)
			if err != nil {
				t.Fatal(err)
			}
			defer expected.Close()
			server.Kill()
			device.Answer(c.Correlation, Answer{Application: "app", Device: "d", Payload: []byte("21.5")})
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, _ := expected.Wait(t.Context(), "d"); string(got.Payload) != "21.5" {
				t.Errorf("got %+v", got)
			}
		})
	}
	f(redis.Single, neighbour.NewRedis(t))
	f(redis.Cluster, neighbour.NewRedisCluster(t))
}

// TestDeviceReconnectsElsewhere moves a device from process to process. Each command that is sent while it is connected arrives there.
func TestDeviceReconnectsElsewhere(t *testing.T) {
	url := neighbour.SharedRedis(t).Database(t)
	hubs := make([]*Hub, 2)
	for i := range hubs {
		hubs[i], _ = connect(t, url, redis.Single)
	}
	_, sender := connect(t, url, redis.Single)
	var before *Listener
	for i := range 200 {
		queue := hubs[i%2].NewQueue(4)
		now := listen(t, hubs[i%2], Filter{Application: "app", Gateway: "d", Protocol: "mqtt"}, queue.Put)
		if before != nil {
			before.Close()
		}
		before = now
		name := strconv.Itoa(i)
		receipt := send(t, sender, Command{Application: "app", Gateway: "d", Device: "d", Name: name})
		receipt.want(t, 0, Reached{"mqtt", 1, 0})
		if got := <-queue.C(); got.Name != name {
			t.Fatalf("round %d: got %s", i, got.Name)
		}
	}
}
