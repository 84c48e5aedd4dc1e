package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	attackCommand = "attack"

	attackedApplication = "attacked"
	besideApplication   = "beside"

	attackedDevices = 64

	// attackRate is how many passwords are guessed in a second, each on a connection of its own, and attackOpen how many of
	// these are open at once: an attacker does not wait for answers.
	attackRate = 200
	attackOpen = 2000

	// attackRounds is how often the tenant beside is measured, without the attack and with it.
	attackRounds = 2

	// attackLead is how long an attack lasts before its effect is measured.
	attackLead = 5 * time.Second

	// maxAttackRatio is the target for medians with the attack to those without it.
	maxAttackRatio = 1.5
)

// attack guesses passwords of the devices of an application until its input ends.
func attack(ctx context.Context, arguments []string, input io.Reader) error {
	flags := flag.NewFlagSet(attackCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the MQTT gateway, host:port")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() { _, _ = io.Copy(io.Discard, input); cancel() }()
	dial := spread(*address)
	open := make(chan struct{}, attackOpen)
	beat := time.NewTicker(time.Second / attackRate)
	defer beat.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		select {
		case open <- struct{}{}:
		default:
			continue
		}
		go func() {
			defer func() { <-open }()
			device := deviceName(i % attackedDevices)
			if client, err := mqttclient.Dial(ctx, dial, device, device+"@"+attackedApplication, fmt.Sprintf("guess %d", i)); err == nil {
				_ = client.Close()
			}
		}()
	}
}

// beginAttack runs this program as the attacker, until end is called.
func beginAttack(ctx context.Context, address string) (end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("looking for this program: %w", err)
	}
	command := exec.CommandContext(ctx, self, attackCommand, "--address", address)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the attack: %w", err)
	}
	return func() { _ = in.Close(); _ = command.Wait() }, nil
}

// besideAttack measures log-ins of one tenant, in turns without an attack on another tenant and with it. No device logs in
// twice, so that nothing is decided from memory.
func (s *site) besideAttack(ctx context.Context, logins int) ([]row, error) {
	hashes, err := manyHashes(2 * attackRounds * logins)
	if err != nil {
		return nil, err
	}
	hashed := func(i int) (*registry.Device, error) { return benchDevice(i, hashes[i%len(hashes)]) }
	if err := s.tenant(ctx, attackedApplication, attackedDevices, hashed); err != nil {
		return nil, err
	}
	// The devices after those with hashes have plain passwords.
	beside := func(i int) (*registry.Device, error) {
		if i < len(hashes) {
			return hashed(i)
		}
		return plainDevice(i)
	}
	if err := s.tenant(ctx, besideApplication, 2*len(hashes), beside); err != nil {
		return nil, err
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	calm, attacked := &loginTimes{}, &loginTimes{}
	for round := range attackRounds {
		first := 2 * round * logins
		if err := calm.measure(ctx, s, first, logins, len(hashes)); err != nil {
			return nil, err
		}
		end, err := beginAttack(ctx, s.mqtt[0].address)
		if err != nil {
			return nil, err
		}
		time.Sleep(attackLead)
		err = attacked.measure(ctx, s, first+logins, logins, len(hashes))
		if end(); err != nil {
			return nil, err
		}
	}
	return compareLogins(calm, attacked), nil
}

// manyHashes are hashes of one password.
func manyHashes(count int) ([]registry.Password, error) {
	hashes, problems := make([]registry.Password, count), make([]error, count)
	slots := make(chan struct{}, registrars)
	var group sync.WaitGroup
	for i := range hashes {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			hash, err := bcrypt.GenerateFromPassword([]byte(benchPassword), bcryptCost)
			hashes[i], problems[i] = registry.Password{Kind: registry.BcryptHash, Value: string(hash)}, err
		})
	}
	group.Wait()
	return hashes, errors.Join(problems...)
}

// loginTimes are how long log-ins took, and how many were told to come back later.
type loginTimes struct {
	plain, hashed, refused sample[time.Duration]
	undecided              int
}

// measure logs devices in one after the other: with plain passwords, with hashed ones, and with wrong ones.
func (l *loginTimes) measure(ctx context.Context, s *site, first, count, plain int) error {
	for i := first; i < first+count; i++ {
		for _, login := range []struct {
			device   int
			password string
			into     *sample[time.Duration]
		}{{plain + i, benchPassword, &l.plain}, {i, "wrong " + strconv.Itoa(i), &l.refused}, {i, benchPassword, &l.hashed}} {
			name := deviceName(login.device)
			began := time.Now()
			client, err := mqttclient.Dial(ctx, spread(s.mqtt[0].address), name, name+"@"+besideApplication, login.password)
			took := time.Since(began)
			refused, isRefused := errors.AsType[*mqttclient.RefusedError](err)
			switch {
			case isRefused && refused.Code == codeUnavailable:
				l.undecided++
			case err == nil && login.into != &l.refused:
				_ = client.Close()
				*login.into = append(*login.into, took)
			case isRefused && login.into == &l.refused:
				*login.into = append(*login.into, took)
			default:
				return fmt.Errorf("the log-in of %s beside an attack, with %q: %w", name, login.password, errors.Join(err, errWrongAnswer))
			}
		}
	}
	return nil
}

// codeUnavailable is the return code of who cannot say (MQTT 3.1.1, section 3.2.2.3).
const codeUnavailable = 3

var errWrongAnswer = errors.New("not the answer that it should have")

func compareLogins(calm, attacked *loginTimes) (rows []row) {
	for _, kind := range []struct {
		name           string
		calm, attacked sample[time.Duration]
	}{
		{"admission, plain password", calm.plain, attacked.plain},
		{"admission, bcrypt of cost 10", calm.hashed, attacked.hashed},
		{"refusal", calm.refused, attacked.refused},
	} {
		if len(kind.calm) == 0 || len(kind.attacked) == 0 {
			continue // all were told to come back later, which is counted below
		}
		times := func(s sample[time.Duration]) string {
			return "p50 " + millis(s.median()) + ", p99 " + millis(s.quantile(0.99))
		}
		median := float64(kind.attacked.median()) / float64(kind.calm.median())
		rows = append(rows, row{
			figure: "beside an attacked tenant, " + kind.name + ", median to without the attack", value: ratio(median),
			span:   times(kind.attacked) + "; without " + times(kind.calm),
			target: "at most " + ratio(maxAttackRatio), holds: median <= maxAttackRatio,
		})
	}
	return append(rows, row{
		figure: "beside an attacked tenant, log-ins that were told to come back later", value: strconv.Itoa(attacked.undecided),
		span: fmt.Sprintf("without the attack %d", calm.undecided), target: "exactly 0", holds: attacked.undecided == 0,
	})
}
