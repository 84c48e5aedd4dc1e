// Package assembly puts a function together from its configuration: the registry's documents, the authenticator, the
// pipeline and the handler that FAIRLEAD_FUNCTION names. The root package hands the result to Knative's function
// middleware; internal/devcloud assembles the same parts around embedded neighbours.
package assembly
