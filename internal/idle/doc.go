// Package idle keeps things in the order in which they were last used, so that at a bound the idlest gives way. What has
// proven nothing yet gives way before everything else.
package idle
