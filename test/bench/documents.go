package main

import (
	"encoding/json"
	"fmt"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairlead/fairlead/internal/registry"
)

const (
	application   = "bench"
	benchPassword = "hey-rodney"

	// devices post over HTTP. Several, so that records spread over the partitions, and few, so that their first log-ins, a hash of
	// some 90 ms each, are over soon.
	devices = 8

	// bcryptCost is what is common, and what the design counts with.
	bcryptCost = 10
)

func deviceName(i int) string { return fmt.Sprintf("device%d", i) }

// benchUser is the user of HTTP authentication.
func benchUser(i int) string { return deviceName(i) + "@" + application }

func benchApplication() *registry.Application {
	return &registry.Application{Metadata: registry.Metadata{Name: application}}
}

// benchHashes are the hashes that the devices share, each with several others: making one takes as long as checking it.
func benchHashes() ([]registry.Password, error) {
	hashes := make([]registry.Password, devices)
	for i := range hashes {
		hash, err := bcrypt.GenerateFromPassword([]byte(benchPassword), bcryptCost)
		if err != nil {
			return nil, fmt.Errorf("hashing a password: %w", err)
		}
		hashes[i] = registry.Password{Kind: registry.BcryptHash, Value: string(hash)}
	}
	return hashes, nil
}

func benchDevice(i int, password registry.Password) (*registry.Device, error) {
	section, err := json.Marshal(registry.Authentication{Credentials: []registry.Credential{
		{Password: &password},
		{PreSharedKey: &registry.PreSharedKey{Key: []byte(benchPassword)}},
	}})
	if err != nil {
		return nil, fmt.Errorf("writing credentials: %w", err)
	}
	return &registry.Device{
		Metadata: registry.Metadata{Name: deviceName(i), Application: application},
		Spec:     registry.Sections{registry.SectionAuthentication: section},
	}, nil
}
