// Package push is the way of events out of the cluster. A Trigger hands it the events of an application at /{application}; it sends
// each on to the endpoint that the application's section "knative" names, with that endpoint's credentials, which no Trigger has to
// hold. What it answers makes the Trigger's retry, backoff and dead letter sink do what they are for (answer.go).
//
// It keeps nothing, and tries everything once: who tries again is the Trigger. Label the function cluster-local, and have Triggers
// show who they are where others share the cluster's network.
package push
