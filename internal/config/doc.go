// Package config fills a process's one configuration struct from environment variables, strictly, and lists its values
// for documentation.
//
// Names follow the struct: the field Kafka.DeliveryTimeout of a struct read with the prefix FAIRLEAD is
// FAIRLEAD_KAFKA_DELIVERY_TIMEOUT. Defaults are the values that the struct has before it is read. A field's tag `doc`
// says what it means, with its unit; the tag `secret:"true"` keeps its value out of every listing.
package config
