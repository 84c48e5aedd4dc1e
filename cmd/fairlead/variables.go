package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// A flag that can be given as an environment variable has the name of the variable without FAIRLEAD_, in lower case and with
// hyphens. What is a setting of functions or gateways too has the name that it has there. Former names of flags are aliases.
// Former names of variables are in the tag was: they have no effect any longer, which must not go unnoticed.

// renamedVariables complains about variables that are set by their former names.
func renamedVariables(flags []*kong.Flag) error {
	var problems []error
	for _, flag := range flags {
		for _, former := range formerVariables(flag) {
			if _, set := os.LookupEnv(former); set {
				problems = append(problems, fmt.Errorf("the environment variable %s is called %s now", former, flag.Envs[0]))
			}
		}
	}
	return errors.Join(problems...)
}

func formerVariables(flag *kong.Flag) []string {
	if !flag.Tag.Has("was") {
		return nil
	}
	return strings.Split(flag.Tag.Get("was"), ",")
}
