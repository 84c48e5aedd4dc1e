package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/functions"
	"github.com/fairlead/fairlead/internal/assembly/gateways"
	"github.com/fairlead/fairlead/internal/config"
)

// allFlags visits the flags of all commands.
func allFlags(t *testing.T, visit func(command string, f *kong.Flag)) {
	t.Helper()
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if command, ok := node.(*kong.Node); ok {
			for _, f := range command.Flags {
				visit(command.FullPath(), f)
			}
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlagsAndVariablesHaveOneName holds the rule of variables.go for all flags.
func TestFlagsAndVariablesHaveOneName(t *testing.T) {
	seen := 0
	variables, former := map[string]bool{}, map[string]bool{}
	allFlags(t, func(command string, f *kong.Flag) {
		if len(f.Envs) == 0 {
			return
		}
		seen++
		want := assembly.Prefix + "_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if len(f.Envs) != 1 || f.Envs[0] != want {
			t.Errorf("%s --%s: the variables are %q, want %s", command, f.Name, f.Envs, want)
		}
		variables[want] = true
		for _, name := range formerVariables(f) {
			former[name] = true
		}
	})
	if seen < 20 {
		t.Errorf("only %d flags have variables", seen)
	}
	for name := range former {
		if variables[name] {
			t.Errorf("%s is both a variable and the former name of one", name)
		}
	}
}

// settings are the names of the variables of functions and gateways.
func settings() map[string]bool {
	f, g := functions.DefaultConfig(), gateways.DefaultConfig()
	names := map[string]bool{}
	for _, s := range append(config.Settings(assembly.Prefix, &f), config.Settings(assembly.Prefix, &g)...) {
		names[s.Name] = true
	}
	return names
}

func TestFormerVariablesAreNoSettings(t *testing.T) {
	names := settings()
	allFlags(t, func(command string, f *kong.Flag) {
		for _, former := range formerVariables(f) {
			if names[former] {
				t.Errorf("%s --%s: %s is a setting of functions or gateways", command, f.Name, former)
			}
		}
	})
}

func TestSharedSettingsHaveOneName(t *testing.T) {
	names := settings()
	for _, variable := range []string{
		"FAIRLEAD_KAFKA_BROKERS", "FAIRLEAD_KAFKA_SECRET_DIR", "FAIRLEAD_DATABASE_URL", "FAIRLEAD_CACHE_URL", "FAIRLEAD_MQTT_TCP_ADDRESS", "FAIRLEAD_MQTT_TLS_ADDRESS",
		"FAIRLEAD_MQTT_WEB_SOCKET_ADDRESS", "FAIRLEAD_MQTT_WEB_SOCKET_TLS_ADDRESS", "FAIRLEAD_COAP_ADDRESS", "FAIRLEAD_COAP_SECURE_ADDRESS",
	} {
		found := false
		allFlags(t, func(_ string, f *kong.Flag) { found = found || len(f.Envs) == 1 && f.Envs[0] == variable })
		if !found || !names[variable] {
			t.Errorf("%s: a flag %t, a setting %t", variable, found, names[variable])
		}
	}
}

func TestFormerVariablesAreAnswered(t *testing.T) {
	t.Setenv("FAIRLEAD_KAFKA", "127.0.0.1:1")
	f := func(status int, want string, arguments ...string) {
		t.Helper()
		if got, out, errors := command(t.Context(), arguments...); got != status || !strings.Contains(out+errors, want) {
			t.Errorf("%v: status %d, %q %q", arguments, got, out, errors)
		}
	}
	f(2, "FAIRLEAD_KAFKA is called FAIRLEAD_KAFKA_BROKERS now", "dev", "--random-ports")
	f(2, "FAIRLEAD_KAFKA is called FAIRLEAD_KAFKA_BROKERS now", "trigger", "test", "-f", manifest(t, goodManifest))
	t.Setenv("FAIRLEAD_REDIS_URL", "redis://127.0.0.1:1")
	f(2, "FAIRLEAD_REDIS_URL is called FAIRLEAD_CACHE_URL now", "dev", "--random-ports")
	f(0, "no errors", "trigger", "check", manifest(t, goodManifest))
}

func TestFormerFlagsAreAliases(t *testing.T) {
	c, err := parsedDev(t, strings.Fields("--http 127.0.0.1:1 --mqtt-wss= --kafka a:1,b:2 --kafka-secret /s --redis redis://r --database postgres://d --coaps 127.0.0.1:3")...)
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP != "127.0.0.1:1" || c.MQTTWSS != "" || strings.Join(c.Kafka, " ") != "a:1 b:2" || c.KafkaSecret != "/s" || c.Redis != "redis://r" ||
		c.Database != "postgres://d" || c.COAPS != "127.0.0.1:3" {
		t.Errorf("%+v", c)
	}
	_, help, _ := command(t.Context(), "dev", "--help")
	if !strings.Contains(help, "--kafka-brokers=") || strings.Contains(help, "--kafka=") {
		t.Errorf("help: %s", help)
	}
}
