// Package process is what every process of Fairlead has besides its job: a logger, a meter provider and health checks.
// Logging and metrics are Knative's own (knative.dev/pkg), so that they look and are configured like the platform's.
package process
