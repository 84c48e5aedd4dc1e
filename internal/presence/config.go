package presence

import (
	"errors"
	"time"
)

// A Config says how soon the death of a process is noticed, and bounds what waits.
type Config struct {
	Heartbeat time.Duration `doc:"duration between two signs of life that a process gives; 10ms to 5s"`
	Life      time.Duration `doc:"duration without a sign of life after which a process counts as dead and its devices as disconnected; at least 4 heartbeats, at most 1m"`
	ClaimWait time.Duration `doc:"longest time that a connecting device waits until its connection event is stored; beyond it the device is admitted and the event follows; 10ms to 30s"`
	Verify    time.Duration `doc:"duration between two comparisons of the sessions of a process with Redis, for what it was not told: of what they add up to, and of each one if that differs; 100ms to 10m"`
	MaxPause  time.Duration `doc:"longest pause between two attempts to store the waiting events of a device; 100ms to 5m"`
	Keep      time.Duration `doc:"age at which an event that could never be stored is given up, and counted; 1m to 720h"`
	Outbox    int           `doc:"number of events of one device that wait to be stored; beyond, pairs of connecting and disconnecting in their middle give way, counted; 32 to 4096"`
	Waiting   int           `doc:"number of devices with waiting events beyond which new sessions are refused as overloaded"`
	Drains    int           `doc:"number of devices whose events a process stores at the same time; 2 to 4096"`
	MaxWill   int           `doc:"largest payload of a will in bytes; at most 921600"`
	WillBytes int           `doc:"bytes of wills, as encoded, that a process holds; beyond, a session with a will is refused as overloaded"`
}

// DefaultConfig notices the death of a process within 9 s.
func DefaultConfig() Config {
	return Config{
		Heartbeat: time.Second,
		Life:      7 * time.Second,
		ClaimWait: 2 * time.Second,
		Verify:    10 * time.Second,
		MaxPause:  10 * time.Second,
		Keep:      24 * time.Hour,
		Outbox:    64,
		Waiting:   100_000,
		Drains:    256,
		MaxWill:   64 << 10,
		WillBytes: 64 << 20,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	if err := c.validateTimes(); err != nil {
		return err
	}
	switch {
	case c.Outbox < 32 || c.Outbox > 4096:
		return errors.New("outbox: must lie between 32 and 4096")
	case c.Waiting < 1:
		return errors.New("waiting: must be at least 1")
	case c.Drains < 2 || c.Drains > 4096:
		return errors.New("drains: must lie between 2 and 4096")
	case c.MaxWill < 0 || c.MaxWill > 900<<10:
		return errors.New("maxWill: must lie between 0 and 921600")
	case c.WillBytes < 0:
		return errors.New("willBytes: must not be negative")
	}
	return nil
}

func (c *Config) validateTimes() error {
	switch {
	case c.Heartbeat < 10*time.Millisecond || c.Heartbeat > 5*time.Second:
		return errors.New("heartbeat: must lie between 10ms and 5s")
	case c.Life < 4*c.Heartbeat || c.Life > time.Minute:
		return errors.New("life: must lie between 4 heartbeats and 1m")
	case c.ClaimWait < 10*time.Millisecond || c.ClaimWait > 30*time.Second:
		return errors.New("claimWait: must lie between 10ms and 30s")
	case c.Verify < 100*time.Millisecond || c.Verify > 10*time.Minute:
		return errors.New("verify: must lie between 100ms and 10m")
	case c.MaxPause < 100*time.Millisecond || c.MaxPause > 5*time.Minute:
		return errors.New("maxPause: must lie between 100ms and 5m")
	case c.Keep < time.Minute || c.Keep > 30*24*time.Hour:
		return errors.New("keep: must lie between 1m and 720h")
	}
	return nil
}
