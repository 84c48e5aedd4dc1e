package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// hashesOf makes a comparer whose hashes take a while and are counted. A stored hash matches the password it spells.
func hashesOf(t *testing.T, c ServiceConfig, takes time.Duration) (p *passwords, hashes, atOnce *atomic.Int64) {
	t.Helper()
	p = newPasswords(c, newServiceMetrics())
	hashes, atOnce = new(atomic.Int64), new(atomic.Int64)
	var running atomic.Int64
	p.compare = func(stored registry.Password, presented string) (bool, error) {
		hashes.Add(1)
		now := running.Add(1)
		defer running.Add(-1)
		for {
			most := atOnce.Load()
			if now <= most || atOnce.CompareAndSwap(most, now) {
				break
			}
		}
		time.Sleep(takes)
		return stored.Value == presented, nil
	}
	return p, hashes, atOnce
}

// match tells whether a password is one of those that are stored.
func (p *passwords) match(ctx context.Context, stored []registry.Password, presented string) (bool, error) {
	found, err := p.find(ctx, "app1", stored, presented)
	return found >= 0, err
}

func bcryptOf(password string) []registry.Password {
	return []registry.Password{{Kind: registry.BcryptHash, Value: password}}
}

// Whoever guesses gets half of the time, however many hashes a guess is tried against.
func TestGuessesLeaveHalfOfTheTime(t *testing.T) {
	for _, stored := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			p, hashes, _ := hashesOf(t, DefaultServiceConfig(), 10*time.Millisecond)
			var list []registry.Password
			for i := range stored {
				list = append(list, bcryptOf(fmt.Sprint("password", i))...)
			}
			for i := range 10 {
				if found, err := p.match(t.Context(), list, fmt.Sprint("guess", i)); found || err != nil {
					t.Fatalf("a guess: %v, %v", found, err)
				}
			}
			began := time.Now()
			if found, err := p.match(t.Context(), list, "password0"); !found || err != nil {
				t.Fatalf("the password: %v, %v", found, err)
			}
			if rest := time.Duration(stored) * 10 * time.Millisecond; time.Since(began) != rest+10*time.Millisecond {
				t.Errorf("%d hashes each, %d in all: the next one took %v", stored, hashes.Load(), time.Since(began))
			}
		})
	}
}

func TestNoHashIsComputedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultServiceConfig()
		p, hashes, _ := hashesOf(t, c, 100*time.Millisecond)
		f := func(want bool, count int64, stored, presented string) {
			t.Helper()
			got, err := p.match(t.Context(), bcryptOf(stored), presented)
			if got != want || err != nil || hashes.Load() != count {
				t.Errorf("%q against %q: %v, %v after %d hashes, want %v after %d", presented, stored, got, err, hashes.Load(), want, count)
			}
		}
		f(true, 1, "a", "a")
		f(true, 1, "a", "a")
		f(false, 2, "a", "b")
		f(false, 2, "a", "b")
		f(true, 3, "b", "b") // another stored hash: a change of password is seen at once
		f(true, 3, "a", "a")
		time.Sleep(c.MemoryTTL)
		f(true, 4, "a", "a")
		f(false, 5, "a", "b")

		var waiting sync.WaitGroup
		for range 50 {
			waiting.Go(func() {
				if got, err := p.match(t.Context(), bcryptOf("c"), "c"); !got || err != nil {
					t.Errorf("at the same time: %v, %v", got, err)
				}
			})
		}
		waiting.Wait()
		if hashes.Load() != 6 {
			t.Errorf("%d hashes for equal log-ins at the same time", hashes.Load()-5)
		}
	})
}

func TestHashesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultServiceConfig()
		c.Hashes, c.HashQueue, c.HashTimeout = 2, 4, 250*time.Millisecond
		p, hashes, atOnce := hashesOf(t, c, 100*time.Millisecond)
		var right, crowded atomic.Int64
		var waiting sync.WaitGroup
		for i := range 10 {
			waiting.Go(func() {
				name := fmt.Sprint(i)
				switch got, err := p.match(t.Context(), bcryptOf(name), name); outcome.Of(err) {
				case outcome.Accepted:
					if got {
						right.Add(1)
					}
				case outcome.Overloaded:
					crowded.Add(1)
				}
			})
		}
		synctest.Wait()
		if !p.full("app1") {
			t.Error("the queue is not full")
		}
		waiting.Wait()
		if right.Load() != 6 || crowded.Load() != 4 || hashes.Load() != 6 || atOnce.Load() != 2 || p.full("app1") {
			t.Errorf("%d right, %d turned away, %d hashes, %d at once", right.Load(), crowded.Load(), hashes.Load(), atOnce.Load())
		}
	})
}

func TestHashesWaitOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultServiceConfig()
		c.Hashes, c.HashTimeout = 1, time.Second
		p, _, _ := hashesOf(t, c, 10*time.Second)
		var slow sync.WaitGroup
		defer slow.Wait()
		slow.Go(func() { _, _ = p.match(t.Context(), bcryptOf("a"), "a") })
		synctest.Wait()
		_, err := p.match(t.Context(), bcryptOf("b"), "b")
		expect(t, "behind a slow hash", err, outcome.Overloaded)
	})
}

func TestRefusalsWhileHashesAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultServiceConfig()
		c.Hashes, c.HashQueue = 1, 1
		p, _, _ := hashesOf(t, c, time.Second)
		service := newTestService(t, acceptance(t)...)
		service.passwords = p
		var slow sync.WaitGroup
		defer slow.Wait()
		for _, name := range []string{"a", "b"} {
			slow.Go(func() { _, _ = p.match(t.Context(), bcryptOf(name), name) })
			synctest.Wait()
		}
		for _, r := range []Request{
			{Application: "app1", Device: "bcrypt", Credential: Password("x")},
			{Application: "app1", Device: "nobody", Credential: Password("x")},
			{Application: "app1", Device: "disabled", Credential: Password("foo")},
			{Application: "nobody", Device: "x", Credential: UserPassword{"x", "x"}},
		} {
			_, err := service.Authenticate(t.Context(), r)
			expect(t, r.Application+"/"+r.Device, err, outcome.Overloaded)
		}
		_, err := service.Authenticate(t.Context(), Request{Application: "app1", Device: "device1", Credential: Password("foo")})
		expect(t, "a password without a hash", err, outcome.Accepted)
	})
}

func TestOnlyRemembered(t *testing.T) {
	p, hashes, _ := hashesOf(t, DefaultServiceConfig(), 0)
	plain := []registry.Password{{Kind: registry.PlainPassword, Value: "p"}}
	ctx := OnlyVerified(t.Context())
	f := func(want bool, stored []registry.Password, presented string) {
		t.Helper()
		if got, err := p.match(ctx, stored, presented); got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", presented, got, err, want)
		}
	}
	f(false, bcryptOf("a"), "a")
	f(false, plain, "p")
	if hashes.Load() != 0 {
		t.Error("a hash was computed")
	}
	for _, stored := range [][]registry.Password{bcryptOf("a"), plain} {
		if ok, err := p.match(t.Context(), stored, stored[0].Value); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	f(true, bcryptOf("a"), "a")
	f(true, plain, "p")
	f(false, plain, "q")
}

// TestGeneratedSecrets has secrets with a salted hash admitted although no password hash can be computed: they wait for nobody.
func TestGeneratedSecrets(t *testing.T) {
	p, hashes, _ := hashesOf(t, DefaultServiceConfig(), 0)
	salted := func(text string) registry.Password {
		return registry.Password{Kind: registry.SaltedSHA256, Value: text}
	}
	right := registry.NewSaltedHash("secret").Text()
	stored := []registry.Password{salted("no hash"), salted(registry.NewSaltedHash("other").Text()), salted(right)}
	f := func(ctx context.Context, presented string, want int) {
		t.Helper()
		if got, err := p.find(ctx, "app1", stored, presented); got != want || err != nil {
			t.Errorf("%.20q: %d, %v, want %d", presented, got, err, want)
		}
	}
	f(OnlyVerified(t.Context()), "secret", -1)
	f(t.Context(), "secret", 2)
	f(OnlyVerified(t.Context()), "secret", 2)
	f(t.Context(), "other", 1)
	f(t.Context(), "Secret", -1)
	f(t.Context(), right, -1)
	f(t.Context(), strings.Repeat("x", maxHashedPassword+1), -1)
	if hashes.Load() != 0 {
		t.Errorf("%d password hashes were computed", hashes.Load())
	}
}

func TestHashesPerLogin(t *testing.T) {
	p, hashes, _ := hashesOf(t, DefaultServiceConfig(), 0)
	var many []registry.Password
	for i := range 100 {
		many = append(many, bcryptOf(fmt.Sprint(i))...)
	}
	if ok, err := p.match(t.Context(), many, "x"); ok || err != nil || hashes.Load() != maxHashesPerLogin {
		t.Errorf("%v, %v after %d hashes", ok, err, hashes.Load())
	}
	if ok, _ := p.match(t.Context(), many, strings.Repeat("x", maxHashedPassword+1)); ok || hashes.Load() != maxHashesPerLogin {
		t.Error("an oversize password was hashed")
	}
}

func TestCompareHashRefusesWork(t *testing.T) {
	f := func(kind registry.PasswordKind, hash string, want error) {
		t.Helper()
		if ok, err := compareHash(registry.Password{Kind: kind, Value: hash}, "x"); ok || !errors.Is(err, want) {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
	}
	f(registry.BcryptHash, "", errHashFormat)
	f(registry.BcryptHash, "$2a$15$"+strings.Repeat("a", 53), errHashTooSlow)
	f(registry.SHA512Crypt, "$6$rounds=100001$a$"+strings.Repeat(".", 86), errHashTooSlow)
	f("other", "x", errHashFormat)
	for _, version := range []string{"$2b$", "$2y$"} {
		hash := version + strings.TrimPrefix(bcryptBar, "$2a$")
		if ok, err := compareBcrypt(hash, "bar"); !ok || err != nil {
			t.Errorf("%s: %v, %v", version, ok, err)
		}
	}
}
