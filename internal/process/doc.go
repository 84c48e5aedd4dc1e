// Package process is what every process of Fairlead has besides its job: a logger, providers of metrics and traces, and
// health checks. Metrics and traces leave as Knative's do, and log lines have the fields of its components, so that they
// look and are configured like the platform's.
package process
