// Package meter reads, in tests, what the code under test counts.
package meter
