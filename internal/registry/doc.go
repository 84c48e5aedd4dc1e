// Package registry is the vocabulary of the device registry: applications, devices, the sections of their
// specifications, and what makes a name valid. It reads and writes nothing; documents come from internal/store and
// internal/cache, and are judged in internal/auth.
//
// A document has the three parts metadata, spec and status. Spec and status are free-form maps of named sections.
// Sections that this package does not know are kept as they are, so that a document survives a round trip.
package registry
