// Package functions attaches to each function of the table in internal/assembly the constructor of its adapter, and drives it
// as Knative's function middleware wants. Which function a process is, FAIRLEAD_FUNCTION tells.
package functions
