// Package function is what Knative's func command line builds: one image for every function of Fairlead. Which one a
// process is, FAIRLEAD_FUNCTION tells.
package function

import "github.com/fairlead/fairlead/internal/assembly/functions"

// New makes the function. The middleware calls its Start, Handle, Ready, Alive and Stop.
func New() *functions.Function { return functions.New() }
