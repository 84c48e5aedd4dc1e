package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// A Quota bounds the devices of an application.
type Quota struct {
	Devices   int // all of them, including those that are being deleted
	PerMinute int // that are created, in any way, in a minute
}

// Errors of CreateDeviceWithin: a quota is used up.
var (
	ErrTooMany = errors.New("the application has as many devices as it may")
	ErrTooFast = errors.New("as many devices as may be were created within the last minute")
)

// CreateDeviceWithin is CreateDevice for as long as a quota is not used up (ErrTooMany, ErrTooFast). Those who create devices of an
// application in this way take turns, so that they cannot exceed it together.
func (s *Store) CreateDeviceWithin(ctx context.Context, d *registry.Device, expect Expect, quota Quota) ([]registry.Change, error) {
	const doing = "creating a device"
	next, err := draftDevice(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return s.writing(ctx, doing, func(w *writer) error {
		application, err := w.lock(ctx, w.applications, []any{next.application})
		if errors.Is(err, registry.ErrNotFound) {
			return ErrReference
		}
		if err != nil {
			return err
		}
		if application.deleted.Valid || (expect.ApplicationUID != "" && expect.ApplicationUID != application.uid) {
			return ErrReference
		}
		if err := w.within(ctx, next.application, quota); err != nil {
			return err
		}
		return w.create(ctx, w.devices, next, taken(registry.AliasName))
	})
}

// within checks that one more device may be created.
func (w *writer) within(ctx context.Context, application string, quota Quota) error {
	all, err := w.count(ctx, quota.Devices, "application = $2", application)
	if err != nil {
		return err
	}
	if all >= quota.Devices {
		return ErrTooMany
	}
	lately, err := w.count(ctx, quota.PerMinute, "application = $2 AND created > $3", application, time.Now().Add(-time.Minute).UnixMicro())
	if err != nil {
		return err
	}
	if lately >= quota.PerMinute {
		return ErrTooFast
	}
	return nil
}

// count counts devices, up to a limit beyond which it does not go on counting. The parameters of the condition begin with $2.
func (w *writer) count(ctx context.Context, limit int, condition string, arguments ...any) (n int, err error) {
	query := "SELECT COUNT(*) FROM (SELECT 1 FROM devices WHERE " + condition + " LIMIT $1) d"
	err = w.tx.QueryRowContext(ctx, query, append([]any{limit}, arguments...)...).Scan(&n)
	return n, err
}
