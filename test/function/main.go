// Command function is the function as `func build` makes it: the program around the root package is, line by line, what Knative's func
// generates for an instanced HTTP function, so that tests and measurements meet the binary that is deployed.
package main

import (
	"fmt"
	"os"

	"knative.dev/func-go/http"

	f "github.com/fairlead/fairlead"
)

func main() {
	if err := http.Start(f.New()); err != nil {
		fmt.Fprintln(os.Stderr, err.Error())
		os.Exit(1)
	}
}
