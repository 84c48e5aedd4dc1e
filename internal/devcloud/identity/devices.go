package identity

import (
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const maxDevices = 100 // programs that wait for their user at once

// devices are programs without a browser, which wait until their user has typed a code elsewhere (RFC 8628).
type devices struct {
	mu     sync.Mutex
	byCode map[string]*op.DeviceAuthorizationState // by device code
	byUser map[string]string                       // device code by user code
}

func newDevices() *devices {
	return &devices{byCode: map[string]*op.DeviceAuthorizationState{}, byUser: map[string]string{}}
}

func (d *devices) begin(clientID, deviceCode, userCode string, expires time.Time, scopes []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(time.Now())
	if _, taken := d.byUser[userCode]; taken {
		return op.ErrDuplicateUserCode
	}
	if len(d.byCode) >= maxDevices {
		return oidc.ErrServerError().WithDescription("too many programs wait for their user")
	}
	d.byCode[deviceCode] = &op.DeviceAuthorizationState{ClientID: clientID, Scopes: scopes, Expires: expires}
	d.byUser[userCode] = deviceCode
	return nil
}

// forget drops what has expired.
func (d *devices) forget(now time.Time) {
	for userCode, deviceCode := range d.byUser {
		if s := d.byCode[deviceCode]; now.After(s.Expires) {
			delete(d.byCode, deviceCode)
			delete(d.byUser, userCode)
		}
	}
}

// state gives a copy, since the library keeps it while others change it.
func (d *devices) state(clientID, deviceCode string) (*op.DeviceAuthorizationState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.byCode[deviceCode]
	if !ok || s.ClientID != clientID {
		return nil, oidc.ErrInvalidGrant().WithDescription("there is no such device code")
	}
	state := *s
	if s.Done { // once is enough
		s.Done, s.Denied = false, true
	}
	return &state, nil
}

// finish lets the program that waits for a code in. It tells whether there is one.
func (d *devices) finish(userCode string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(time.Now())
	s, ok := d.byCode[d.byUser[userCode]]
	if !ok || s.Done || s.Denied {
		return false
	}
	s.Done, s.Subject, s.AMR, s.AuthTime = true, UserID, []string{"pwd"}, time.Now()
	return true
}
