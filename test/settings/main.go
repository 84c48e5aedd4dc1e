// Command settings tells how a process of Fairlead understands an environment. The tests of config/, in a module of their
// own, ask it about what manifests say.
//
// It reads NAME=value lines from standard input, takes them for the environment of `gateway NAME` or, as `function`, of the
// function that they name, and prints all settings, defaults included, as such lines. What the process would refuse ends it
// with the process's own error.
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/functions"
	"github.com/fairlead/fairlead/internal/assembly/gateways"
	"github.com/fairlead/fairlead/internal/config"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	var environment []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		environment = append(environment, lines.Text())
	}
	settings, err := understood(arguments, environment)
	if err != nil {
		return err
	}
	for _, s := range settings {
		fmt.Printf("%s=%s\n", s.Name, s.Default)
	}
	return nil
}

func understood(arguments, environment []string) ([]config.Setting, error) {
	if len(arguments) == 1 && arguments[0] == "function" {
		c, err := functions.LoadConfig(environment)
		return config.Settings(assembly.Prefix, &c), err
	}
	if len(arguments) != 2 || arguments[0] != "gateway" {
		return nil, fmt.Errorf("usage: settings function, or settings gateway NAME")
	}
	gateway, ok := assembly.Find(assembly.Gateway, arguments[1])
	if !ok {
		return nil, fmt.Errorf("there is no gateway %s", arguments[1])
	}
	c, err := gateways.LoadConfig(gateway, environment)
	return config.Settings(assembly.Prefix, &c), err
}
