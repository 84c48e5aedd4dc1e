// Package architecture holds the code to docs/architecture.md: its test fails when a package is on no floor of the table
// there, or imports one that is not below its own.
package architecture
