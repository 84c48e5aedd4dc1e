//go:build integration

package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A child is this test binary run again as another process, to be killed and frozen.
const (
	childURL     = "PRESENCE_CHILD_URL"
	childName    = "PRESENCE_CHILD_INSTANCE"
	childNumber  = "PRESENCE_CHILD_NUMBER"
	childWork    = "PRESENCE_CHILD_WORK" // flapping or steady
	childDevices = 300

	journalStored, journalLost = "journal:stored", "journal:lost" // lists in Redis
)

func childDevice(number, n int) string { return fmt.Sprintf("c%d-%d", number, n) }

// child is the child's main function. It ends only by being killed.
func child() int {
	url, number := os.Getenv(childURL), 0
	if _, err := fmt.Sscan(os.Getenv(childNumber), &number); err != nil {
		fmt.Println(err)
		return 1
	}
	log := &listPublisher{dial(url)}
	tracker, err := New(DefaultConfig(), dial(url), os.Getenv(childName), log, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx := context.Background()
	go func() { _ = tracker.Run(ctx) }()
	for tracker.Ready(ctx) != nil {
		backoff.Wait(ctx, 10*time.Millisecond)
	}
	work := func(n int) {
		for {
			l, err := tracker.Claim(ctx, session(childDevice(number, n)), will("gone", "x"), func() {
				log.client.RPush(ctx, journalLost, n)
			})
			if err != nil {
				fmt.Println(err)
			} else if os.Getenv(childWork) == "steady" {
				return
			} else if rand.IntN(10) > 0 {
				l.Release(rand.IntN(2) == 0) // and else the next claim takes it over
			}
		}
	}
	for n := range childDevices {
		go work(n)
	}
	<-ctx.Done()
	return 0
}

func dial(url string) *redis.Client {
	options, err := redis.ParseURL(url)
	if err != nil {
		panic(err)
	}
	return redis.NewClient(options)
}

// A listPublisher stores events in a list in Redis, which has one order for all processes.
type listPublisher struct{ client *redis.Client }

type journalLine struct {
	Device, ID, What string
	Time             time.Time
}

func (p *listPublisher) Publish(ctx context.Context, from *auth.Session, _ *registry.Device, m ingest.Message, done func(outcome.Result)) {
	line, err := json.Marshal(journalLine{from.Device.Metadata.Name, m.ID, describe(m), m.Time})
	if err == nil {
		err = p.client.RPush(ctx, journalStored, line).Err()
	}
	if err != nil {
		done(outcome.Result{Outcome: outcome.Unavailable})
		return
	}
	done(outcome.Result{Outcome: outcome.Accepted})
}

// A journal is an installation whose events are stored by several processes of the operating system.
type journal struct {
	*installation
	publisher *listPublisher
}

func newJournal(t *testing.T, url string) *journal {
	i := newInstallation(t, url)
	i.config = DefaultConfig()
	j := &journal{i, &listPublisher{dial(url)}}
	t.Cleanup(func() { _ = j.publisher.client.Close() })
	return j
}

func (j *journal) survivor() *process { return j.processWith(j.publisher) }

// child starts a child that connects its devices.
func (j *journal) child(number int, work string) *neighbour.Process {
	j.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		j.t.Fatal(err)
	}
	c, err := neighbour.StartProcess(j.t.Context(), neighbour.Command{
		Name: "presence-child",
		Path: binary,
		Env: []string{
			childURL + "=" + j.url, childName + "=" + j.name, childNumber + "=" + strconv.Itoa(number), childWork + "=" + work,
		},
	})
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (j *journal) length() int {
	return int(j.publisher.client.LLen(j.t.Context(), journalStored).Val())
}

func (j *journal) lost() int {
	return int(j.publisher.client.LLen(j.t.Context(), journalLost).Val())
}

// quiet tells whether nobody holds a device and no event waits.
func (j *journal) quiet() bool {
	return j.holders() == 0 && j.publisher.client.ZCard(j.t.Context(), newKeyspace(j.name).waiting()).Val() == 0
}

// read lists the events of each device.
func (j *journal) read() map[string][]recorded {
	j.t.Helper()
	all := map[string][]recorded{}
	for _, text := range j.publisher.client.LRange(j.t.Context(), journalStored, 0, -1).Val() {
		var line journalLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			j.t.Fatal(err)
		}
		all[line.Device] = append(all[line.Device], recorded{device: line.Device, id: line.ID, what: line.What, time: line.Time})
	}
	return all
}
