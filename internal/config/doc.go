// Package config fills a process's one configuration struct from environment variables, strictly, and lists its values
// for documentation.
//
// Names follow the struct: the field Kafka.DeliveryTimeout of a struct read with the prefix FAIRLEAD is
// FAIRLEAD_KAFKA_DELIVERY_TIMEOUT. Defaults are the values that the struct has before it is read. A field's tag `doc`
// says what it means, with its unit; the tag `secret:"true"` keeps its value out of every listing.
//
// A field that is a map from a name to a pointer to a struct takes any number of groups: the field Issuer of the entry
// "corp" of Users.Providers is FAIRLEAD_USERS_PROVIDERS_CORP_ISSUER. Keys are lower case, with hyphens where the variable has
// underscores.
//
// The fields of an embedded struct count as fields of the struct around it.
//
// Variables that Kubernetes makes for Services whose names begin with the prefix are no settings, and are passed over.
package config
