// Package dispatch delivers the events of Kafka topics to the subscribers of Triggers, so that a laptop needs no cluster
// to see what a Trigger does. It follows the dispatcher of Knative's Kafka Broker:
//
//   - Every subscription is a consumer group of its own. A new group starts at the newest record; from then on it
//     continues where it stopped, and a partition that is added later is read from its beginning.
//   - A record that is not a CloudEvent is counted and skipped.
//   - Every event gets the extensions knativekafkapartition and knativekafkaoffset, which filters see too.
//   - An event is sent by HTTP POST in binary mode, with "Prefer: reply" and "Kn-Namespace", and without credentials that the
//     URL holds. Transport errors and the statuses 5xx, 404, 408, 409 and 429 are tried again, unless backoffDelay is 0; any
//     other status but 2xx is final at once, and so is a 2xx whose body is not a CloudEvent. Of the redirects, 303 is followed.
//   - What finally failed goes to the dead letter sink with the extensions knativeerrordest, knativeerrorcode and
//     knativeerrordata, plus one extension for each response header that starts with "Kne-". Without a sink it is lost:
//     counted and logged.
//   - A CloudEvent in the response, of the subscriber or of the sink, goes back into the topic.
//   - Ordered delivery handles one event of a partition at a time, unordered delivery a bounded number.
//   - Delivery is at least once: a record is done when it was delivered, dead-lettered, lost or filtered out. Package stream
//     says when its position is committed.
//
// Three things are different on purpose. The texts of attributes are percent-encoded in headers, as the CloudEvents HTTP
// binding says; the Kafka dispatcher writes them as they are, with a question mark for what is not Latin-1, and throws
// events away whose texts no header can hold. Credentials in a subscriber's URL do not get into dead letters. And a reply carries the extension "fairleadhops", which counts how many subscribers
// answered one another; beyond [MaxHops] a reply is dropped, so that two Triggers that answer each other do not fill
// the disk. In a cluster nothing does that.
//
// Reading path: subscription.go says what is delivered where, dispatcher.go holds the set of subscriptions, consumer.go
// delivers what [stream.Consumer] reads for one of them, event.go is what a record says to the Kafka dispatcher, delivery.go the
// way of one event, sender.go one HTTP request.
package dispatch
