// Package architecture holds the code to docs/architecture.md: its test fails when a package is on no floor of the table
// there, or imports one that is not below its own, and when the page names a file or a function that does not exist.
package architecture
