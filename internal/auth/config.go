package auth

import (
	"errors"
	"net/url"
	"time"
)

// A Config holds the settings of every layer. A process uses those of the layers that it has.
type Config struct {
	Service  ServiceConfig
	Cache    CacheConfig
	Steady   SteadyConfig
	Client   ClientConfig
	Registry RegistryConfig
}

// DefaultConfig suits an instance with a few cores and 256 MiB.
func DefaultConfig() Config {
	return Config{DefaultServiceConfig(), DefaultCacheConfig(), DefaultSteadyConfig(), DefaultClientConfig(), DefaultRegistryConfig()}
}

// A ServiceConfig bounds the work that judging a credential takes.
type ServiceConfig struct {
	Hashes      int           `doc:"password hashes computed at once; 0 is all cores but one"`
	HashQueue   int           `doc:"password hashes that may wait for their turn; beyond, log-ins that need one are answered as overloaded"`
	HashTimeout time.Duration `doc:"longest time that a log-in waits for its password hash"`
	Memory      int           `doc:"number of credentials whose verification is remembered, for the right ones and for the wrong ones each"`
	MemoryTTL   time.Duration `doc:"how long a verification is remembered; no password hash is computed twice for the same credential within that time"`
}

// DefaultServiceConfig lets bcrypt of cost 10 (about 90 ms) be waited for by a few dozen log-ins.
func DefaultServiceConfig() ServiceConfig {
	return ServiceConfig{HashQueue: 256, HashTimeout: 5 * time.Second, Memory: 100_000, MemoryTTL: time.Hour}
}

// Validate names the first bad field.
func (c *ServiceConfig) Validate() error {
	switch {
	case c.Hashes < 0 || c.Hashes > 1024:
		return errors.New("hashes: must lie between 0 and 1024")
	case c.HashQueue < 1:
		return errors.New("hashQueue: must be at least 1")
	case c.HashTimeout < 100*time.Millisecond:
		return errors.New("hashTimeout: must be at least 100ms")
	case c.Memory < 1:
		return errors.New("memory: must be at least 1")
	case c.MemoryTTL < time.Second:
		return errors.New("memoryTTL: must be at least 1s")
	}
	return nil
}

// A CacheConfig says how many decisions are remembered and for how long.
type CacheConfig struct {
	Entries       int           `doc:"number of decisions that are remembered; beyond, the least recently used one gives way"`
	TTL           time.Duration `doc:"how long an admission is used without asking again; changes in the registry end it earlier, by push"`
	NegativeTTL   time.Duration `doc:"how long a refusal is used without asking again"`
	HardTTL       time.Duration `doc:"how long an admission is used while nobody can be asked"`
	StaleWait     time.Duration `doc:"how long a sender with an admission beyond its TTL waits for a new one before the old one is used"`
	LookupTimeout time.Duration `doc:"longest time for one decision; who asks may give up earlier"`
	Lookups       int           `doc:"decisions that may be sought at once; beyond, log-ins are answered as overloaded"`
	LookupsShare  int           `doc:"decisions on log-ins to one application that may be sought at once; beyond, they are answered as overloaded, and those of others are not"`
}

// DefaultCacheConfig holds some 100,000 devices in about 100 MB.
func DefaultCacheConfig() CacheConfig {
	return CacheConfig{
		Entries:       100_000,
		TTL:           time.Minute,
		NegativeTTL:   5 * time.Second,
		HardTTL:       10 * time.Minute,
		StaleWait:     250 * time.Millisecond,
		LookupTimeout: 10 * time.Second,
		Lookups:       4096,
		LookupsShare:  1024,
	}
}

// Validate names the first bad field.
func (c *CacheConfig) Validate() error {
	switch {
	case c.Entries < cacheShards:
		return errors.New("entries: must be at least 64")
	case c.TTL <= 0:
		return errors.New("ttl: must be positive")
	case c.NegativeTTL <= 0 || c.NegativeTTL > c.TTL:
		return errors.New("negativeTTL: must be positive and not above ttl")
	case c.HardTTL < c.TTL:
		return errors.New("hardTTL: must not be below ttl")
	case c.StaleWait < 0:
		return errors.New("staleWait: must not be negative")
	case c.LookupTimeout < 100*time.Millisecond:
		return errors.New("lookupTimeout: must be at least 100ms")
	case c.Lookups < 1:
		return errors.New("lookups: must be at least 1")
	case c.LookupsShare < 1 || c.LookupsShare > c.Lookups:
		return errors.New("lookupsShare: must lie between 1 and lookups")
	}
	return nil
}

// A SteadyConfig says how refusals are evened out and guessing is slowed down.
type SteadyConfig struct {
	Quantum      time.Duration `doc:"refusals are answered at multiples of this time after the request, so that their reason does not show; longer than a password hash takes"`
	Waiting      int           `doc:"refusals that may wait for their time at once; beyond, they are answered as overloaded"`
	WaitingShare int           `doc:"refusals of one application that may wait for their time at once; beyond, they are answered as overloaded, and those of others are not"`
	Free         int           `doc:"failures of one device from one address that are not slowed down further"`
	MaxDelay     time.Duration `doc:"longest time for a refusal, reached by doubling with each further failure"`
	Failures     int           `doc:"failures of one device from one address in a minute after which only credentials that were verified before are admitted from there"`
	Guarded      int           `doc:"number of devices and addresses whose failures are counted; beyond, the oldest is forgotten"`
}

// DefaultSteadyConfig lets somebody guess 30 passwords a minute.
func DefaultSteadyConfig() SteadyConfig {
	return SteadyConfig{Quantum: 250 * time.Millisecond, Waiting: 4096, WaitingShare: 512, Free: 3, MaxDelay: 5 * time.Second, Failures: 30, Guarded: 16_384}
}

// Validate names the first bad field.
func (c *SteadyConfig) Validate() error {
	switch {
	case c.Quantum < time.Millisecond || c.Quantum > 10*time.Second:
		return errors.New("quantum: must lie between 1ms and 10s")
	case c.Waiting < 1:
		return errors.New("waiting: must be at least 1")
	case c.WaitingShare < 1 || c.WaitingShare > c.Waiting:
		return errors.New("waitingShare: must lie between 1 and waiting")
	case c.Free < 0:
		return errors.New("free: must not be negative")
	case c.MaxDelay < c.Quantum:
		return errors.New("maxDelay: must not be below quantum")
	case c.Failures <= c.Free:
		return errors.New("failures: must be above free")
	case c.Guarded < 1:
		return errors.New("guarded: must be at least 1")
	}
	return nil
}

// A ClientConfig says how functions/auth is reached. No URL means that credentials are judged in the process itself.
type ClientConfig struct {
	URL         string        `doc:"base URL of the authentication function; empty judges credentials in this process"`
	Token       string        `doc:"bearer token for the authentication function" secret:"true"`
	Timeout     time.Duration `doc:"longest time for one decision with all attempts, where the request has no earlier deadline"`
	Connections int           `doc:"connections to the authentication function at once; questions about one application take a quarter of them at most, and wait for their turn beyond"`
}

// DefaultClientConfig leaves room for a cold start of the function.
func DefaultClientConfig() ClientConfig {
	return ClientConfig{Timeout: 10 * time.Second, Connections: 128}
}

// Validate names the first bad field.
func (c *ClientConfig) Validate() error {
	if err := checkBase(c.URL); err != nil {
		return err
	}
	switch {
	case c.Timeout < 100*time.Millisecond:
		return errors.New("timeout: must be at least 100ms")
	case c.Connections < 1:
		return errors.New("connections: must be at least 1")
	}
	return nil
}

// String keeps the token out of logs.
func (ClientConfig) String() string { return "authentication client" }

// GoString keeps the token out of logs.
func (c ClientConfig) GoString() string { return c.String() }

// checkBase checks the URL of a process that is asked, which may be empty.
func checkBase(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return errors.New("url: must be an http or https URL without user and query")
	}
	return nil
}
