package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"time"
)

// A device posts one reading after the other.
type device struct {
	name     string
	channel  string
	interval time.Duration
	read     func(time.Time) map[string]any
}

// devices are what is simulated. Their rhythms differ, so that the table lives.
func devices() []*device {
	return []*device{
		{"kitchen", "climate", 1300 * time.Millisecond, climate(21, 2, 45)},
		{"greenhouse", "climate", 1700 * time.Millisecond, climate(27, 6, 70)},
		{"cellar", "climate", 2900 * time.Millisecond, climate(12, 1, 62)},
		{"front-door", "contact", 3700 * time.Millisecond, func(time.Time) map[string]any {
			return map[string]any{"open": rand.IntN(2) == 1}
		}},
		{"well", "level", 2300 * time.Millisecond, func(t time.Time) map[string]any {
			return map[string]any{"litres": 800 + math.Round(100*wave(t, time.Minute))}
		}},
	}
}

// climate reads a temperature that swings around a mean, and a humidity.
func climate(mean, swing, humidity float64) func(time.Time) map[string]any {
	return func(t time.Time) map[string]any {
		return map[string]any{
			"temperature": math.Round(10*(mean+swing*wave(t, time.Minute)+rand.Float64()-0.5)) / 10,
			"humidity":    math.Round(humidity + 5*rand.Float64()),
		}
	}
}

// wave swings between -1 and 1.
func wave(t time.Time, period time.Duration) float64 {
	return math.Sin(2 * math.Pi * float64(t.UnixNano()%int64(period)) / float64(period))
}

// run posts until the context ends, and tells the outcome of each request: its status, or 0 if there was no answer.
func (d *device) run(ctx context.Context, client *http.Client, url, password string, tell func(status int)) {
	ticker := time.NewTicker(d.interval)
	defer ticker.Stop()
	for {
		status, err := d.post(ctx, client, url, password)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			status = 0
		}
		tell(status)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (d *device) post(ctx context.Context, client *http.Client, url, password string) (status int, err error) {
	body, err := json.Marshal(d.read(time.Now()))
	if err != nil {
		return 0, fmt.Errorf("writing a reading: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/"+d.channel, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making a request: %w", err)
	}
	request.SetBasicAuth(d.name+"@"+Application, password)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, nil
}
