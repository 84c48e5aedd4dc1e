// Package door is the way to the registry as a process holds it: an authenticator in all its layers, fed with the registry's
// changes. A process that judges credentials itself opens it with [NewJudge], one that asks the authentication function
// with [NewClient].
package door
