package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetry(t *testing.T) {
	f := func(name string, waitLimit time.Duration, wantCalls int, wantTime time.Duration, failures ...error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			began, calls := time.Now(), 0
			err := Retry(t.Context(), waitLimit, func() error {
				if calls++; calls <= len(failures) {
					return failures[calls-1]
				}
				return nil
			})
			took := time.Since(began)
			if calls != wantCalls || (wantTime > 0 && took != wantTime) || took > waitLimit {
				t.Errorf("%s: %d calls in %s, want %d in %s", name, calls, took, wantCalls, wantTime)
			}
			if (err == nil) != (calls > len(failures)) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	busy := &Error{Status: http.StatusServiceUnavailable}
	wait := func(d time.Duration) error { return &Error{Status: http.StatusTooManyRequests, RetryAfter: d} }
	lost := &connectionError{errors.New("lost")}
	f("nothing wrong", time.Minute, 1, 0)
	f("overloaded", time.Minute, 3, 0, busy, lost)
	f("the pause that is asked for", time.Minute, 3, 9*time.Second, wait(2*time.Second), wait(7*time.Second))
	f("too long a pause", 30*time.Second, 1, 0, wait(2*time.Minute))
	f("no patience", 0, 1, 0, busy)
	f("what does not get better", time.Minute, 1, 0, &Error{Status: http.StatusBadRequest})
	f("in other words", time.Minute, 2, 0, fmt.Errorf("device: %w", busy))
	f("an end that somebody wants", time.Minute, 1, 0, &connectionError{context.Canceled})
}

func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		always := func() error { return &Error{Status: http.StatusBadGateway} }
		if err := Retry(ctx, time.Hour, always); !IsTransient(err) || time.Since(began) != 20*time.Second {
			t.Errorf("%v after %s; want the call's error when the context ends", err, time.Since(began))
		}
		began = time.Now()
		if err := Retry(t.Context(), time.Minute, always); !IsTransient(err) || time.Since(began) < 50*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestErrorsTellWhatToDo(t *testing.T) {
	var answer func(http.ResponseWriter)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	defer server.Close()
	client, err := NewClient(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(header string, want time.Duration) {
		t.Helper()
		answer = func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		err := client.Get(t.Context(), "/", nil)
		var refused *Error
		if !errors.As(err, &refused) || !IsTransient(err) || (refused.RetryAfter-want).Abs() > time.Second {
			t.Errorf("%s: %v", header, err)
		}
	}
	f("7", 7*time.Second)
	f("", 0)
	f("-1", 0)
	f("soon", 0)
	f(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), time.Hour)
	f(time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0)

	server.Close()
	if err := client.Get(t.Context(), "/", nil); !IsTransient(err) || !IsUnreachable(err) || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("%v", err)
	}
}
