// Package triggers reads, checks and evaluates Knative Eventing's Brokers and
// Triggers without Knative.
//
// It exists so that one manifest means one thing: the Trigger that a user tries
// on a laptop with fairlead dev, or checks with fairlead trigger check, is the
// file that later goes to a cluster, and it selects, retries and gives up
// there as it did here. Knative's own packages would do the same, but weigh
// 28 to 55 MB in a binary; the nested module test/knative requires them and
// proves that this package decides as they do.
//
// Read in this order:
//
//   - types.go: the fields of eventing.knative.dev/v1 that matter
//   - decode.go, set.go: strict reading of files and folders
//   - filter.go, cesql.go: which events a Trigger gets
//   - policy.go, duration.go: what happens when a delivery fails
//   - rules.go, lint.go and lint_*.go: what no admission webhook catches; README.md
//     has a line for each rule
//
// # Where it differs from Knative
//
// Knative's dispatcher skips a filter that it cannot use: an exact, prefix or
// suffix filter with an empty value, and a filter object without a dialect,
// let every event through. A CESQL expression that is not boolean passes the
// webhook and panics when the first event arrives; one that calls an unknown
// function never matches; characters that are not CESQL are dropped. Compile
// refuses all of these. Where only an event can tell that an expression is not
// boolean, it matches nothing, not even below not. A filter that is wrong must
// not send events further than their owner wrote down.
package triggers
