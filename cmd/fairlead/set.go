package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/registry"
)

// maxBcrypt is how many bytes a password may have; bcrypt ignores the rest.
const maxBcrypt = 72

type setCommand struct {
	Password setPassword `cmd:"" help:"Give a device a password."`
	PSK      setPSK      `cmd:"" name:"psk" help:"Give a device a pre-shared key, for DTLS."`
	Gateway  setGateway  `cmd:"" help:"Let a gateway act for a device."`
	Alias    setAlias    `cmd:"" help:"Let a device be found by another name."`
}

// ofDevice are the flags of every command that changes one device.
type ofDevice struct {
	inApplication
	strictness
	Device string `arg:"" complete:"device" help:"Device."`
}

// change reads a device, changes it and writes it, again if somebody else was faster.
func (o *ofDevice) change(ctx context.Context, t terminal, do func(resource) error) error {
	client, application, err := o.connect()
	if err != nil {
		return err
	}
	checked := func(device resource) error {
		before := device.problems(true)
		if err := do(device); err != nil {
			return err
		}
		return o.judge(t, "device "+o.Device, since(before, device.problems(true)))
	}
	if err := changeResource(ctx, client, cloud.DevicePath(application, o.Device), checked); err != nil {
		return about("device "+o.Device, err)
	}
	fmt.Fprintf(t.err, "device %s changed\n", printable(o.Device))
	return nil
}

// changeResource reads a resource, changes it and writes it, again if somebody else was faster.
func changeResource(ctx context.Context, client *cloud.Client, path cloud.Path, do func(resource) error) error {
	for attempt := 1; ; attempt++ {
		err := changeOnce(ctx, client, path, do)
		if !cloud.IsConflict(err) || attempt == applyAttempts {
			return err
		}
	}
}

func changeOnce(ctx context.Context, client *cloud.Client, path cloud.Path, do func(resource) error) error {
	var text json.RawMessage
	if err := client.Get(ctx, path, &text); err != nil {
		return err
	}
	r, err := parseResource(text)
	if err != nil {
		return err
	}
	if err := do(r); err != nil {
		return err
	}
	return client.Replace(ctx, path, r)
}

// setCredential puts a credential in the place of the one that is like it, or behind all others. Devices of old may have
// their credentials in a section of another name; that one is used then.
func setCredential(device resource, credential any, alike func(map[string]any) bool) error {
	spec, err := device.member("spec")
	if err != nil {
		return err
	}
	name := registry.SectionAuthentication
	if _, ours := spec[name]; !ours {
		if _, old := spec[registry.SectionCredentials]; old {
			name = registry.SectionCredentials
		}
	}
	section, err := device.member("spec", name)
	if err != nil {
		return err
	}
	credentials, err := items(section, "credentials")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(credentials, func(item any) bool {
		object, ok := item.(map[string]any)
		return ok && alike(object)
	})
	if i < 0 {
		section["credentials"] = append(credentials, credential)
		return nil
	}
	credentials[i] = credential
	return nil
}

type setPassword struct {
	ofDevice
	Value    string `arg:"" name:"password" optional:"" help:"Password; - reads it from standard input. None draws one and prints it, which is better: it is long, and in no shell's history."`
	Generate bool   `xor:"stored" help:"Draw the password, print it once, and store it as a salted SHA-256, which costs next to nothing to check. Drogue Cloud does not know that form."`
	User     string `name:"username" placeholder:"NAME" help:"User name that goes with the password."`
	Unique   bool   `help:"Let the device be found by the user name alone."`
	Plain    bool   `xor:"stored" help:"Store the password as it is, instead of a hash of it."`
}

// Run gives a device a password.
func (c *setPassword) Run(ctx context.Context, t terminal) error {
	value, drawn, err := c.value(t)
	if err != nil {
		return err
	}
	password, err := c.stored(value)
	if err != nil {
		return err
	}
	credential, alike := any(map[string]any{"pass": password}), func(present map[string]any) bool {
		_, ok := present["pass"]
		return ok
	}
	if c.User != "" {
		user := map[string]any{"username": c.User, "password": password}
		if c.Unique {
			user["unique"] = true
		}
		credential, alike = map[string]any{"user": user}, func(present map[string]any) bool {
			user, ok := present["user"].(map[string]any)
			return ok && user["username"] == c.User
		}
	}
	if err := c.change(ctx, t, func(device resource) error { return setCredential(device, credential, alike) }); err != nil {
		return err
	}
	if drawn {
		_, err = fmt.Fprintln(t.out, value)
	} else if c.Value == "-" {
		value = "PASSWORD" // which somebody took care to show nowhere
	}
	c.hint(ctx, t, passwordLines(c.Device, c.User, value))
	return err
}

func (c *setPassword) value(t terminal) (value string, drawn bool, err error) {
	if c.Unique && c.User == "" {
		return "", false, errors.New("--unique needs --username")
	}
	if c.Value == "" {
		return rand.Text(), true, nil // 128 bits at least
	}
	if c.Generate {
		return "", false, errGenerated
	}
	value, err = fromStdin(t, c.Value)
	return value, false, err
}

var errGenerated = errors.New("--generate draws the secret: give none")

func (c *setPassword) stored(value string) (any, error) {
	switch {
	case c.Plain:
		return value, nil
	case c.Generate:
		return registry.Password{Kind: registry.SaltedSHA256, Value: registry.NewSaltedHash(value).Text()}, nil
	}
	if len(value) > maxBcrypt {
		return nil, fmt.Errorf("a password that is stored as a hash has at most %d bytes; --plain stores it as it is", maxBcrypt)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(value), bcrypt.DefaultCost)
	if err != nil {
		return nil, errors.New("the password cannot be hashed")
	}
	return map[string]any{"bcrypt": string(hash)}, nil
}

type setPSK struct {
	ofDevice
	Value    string        `arg:"" name:"key" optional:"" help:"Key in base64; - reads it from standard input. None draws one and prints it, in base64."`
	Generate bool          `help:"Draw the key and print it once, as without a key."`
	For      time.Duration `placeholder:"DURATION" help:"How long the key is valid from now on, as in 720h. Other keys stay, so that a device can change over."`
	Append   bool          `help:"Keep the keys that are there."`
}

// Run gives a device a pre-shared key.
func (c *setPSK) Run(ctx context.Context, t terminal) error {
	value, drawn, err := c.value(t)
	if err != nil {
		return err
	}
	key := map[string]any{"key": value}
	if c.For < 0 {
		return errors.New("--for: must not be negative")
	}
	if c.For > 0 {
		now := time.Now().UTC().Truncate(time.Second)
		key["validity"] = map[string]any{"notBefore": now.Format(time.RFC3339), "notAfter": now.Add(c.For).Format(time.RFC3339)}
	}
	replaced := func(present map[string]any) bool {
		_, ok := present["psk"]
		return ok && !c.Append && c.For == 0
	}
	preferred := false
	err = c.change(ctx, t, func(device resource) error {
		err := setCredential(device, map[string]any{"psk": key}, replaced)
		preferred = err == nil && prefers(device, value)
		return err
	})
	if err != nil {
		return err
	}
	if drawn {
		_, err = fmt.Fprintln(t.out, value)
	} else if c.Value == "-" {
		value = base64.StdEncoding.EncodeToString([]byte("KEY"))
	}
	c.hint(ctx, t, pskLines(c.Device, value, preferred))
	return err
}

// prefers tells whether a key is the one of a device that handshakes are about.
func prefers(device resource, key string) bool {
	text, err := json.Marshal(device["spec"])
	d := registry.Device{}
	if err == nil {
		err = json.Unmarshal(text, &d.Spec)
	}
	credentials, wrong := d.Credentials()
	first := registry.PreferredKey(credentials, time.Now())
	return err == nil && wrong == nil && first != nil && base64.StdEncoding.EncodeToString(first.Key) == key
}

func (c *setPSK) value(t terminal) (value string, drawn bool, err error) {
	if c.Value == "" {
		// Printable, since some clients take no other keys. 130 bits at least.
		return base64.StdEncoding.EncodeToString([]byte(rand.Text())), true, nil
	}
	if c.Generate {
		return "", false, errGenerated
	}
	value, err = fromStdin(t, c.Value)
	if err != nil {
		return "", false, err
	}
	if decoded, err := base64.StdEncoding.DecodeString(value); err != nil || len(decoded) == 0 {
		return "", false, errors.New("a key is base64 with padding")
	}
	return value, false, nil
}

type setGateway struct {
	ofDevice
	Gateway string `arg:"" complete:"device" help:"Device that may act for it."`
	Remove  bool   `help:"No longer let it."`
}

// Run lets a gateway act for a device.
func (c *setGateway) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, t, func(device resource) error {
		selector, err := device.member("spec", registry.SectionGatewaySelector)
		if err != nil {
			return err
		}
		names, err := items(selector, "matchNames")
		selector["matchNames"] = with(names, c.Gateway, !c.Remove)
		return err
	})
}

type setAlias struct {
	ofDevice
	Alias  string `arg:"" help:"Other name, unique among the devices of the application."`
	Remove bool   `help:"Take the name away."`
}

// Run gives a device another name.
func (c *setAlias) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, t, func(device resource) error {
		spec, err := device.member("spec")
		if err != nil {
			return err
		}
		names, err := items(spec, registry.SectionAlias)
		spec[registry.SectionAlias] = with(names, c.Alias, !c.Remove)
		return err
	})
}

// with gives a list that has a name once, or not at all.
func with(names []any, name string, present bool) []any {
	list := slices.DeleteFunc(slices.Clone(names), func(n any) bool { return n == name })
	if present {
		list = append(list, name)
	}
	if list == nil {
		return []any{}
	}
	return list
}
