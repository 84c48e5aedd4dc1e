// Package opcua is a client of one OPC UA server for a forwarder that must not lose what the server tells.
//
//   - The secure channel, its bounds and what is read from it are ours (in the folders channel and binary): a server that answers nonsense
//     ends a request or a connection, never the process. Algorithms and names come from gopcua.
//   - The client has a certificate of its own and a folder of servers that it trusts (certificate.go, trust.go).
//   - Items are monitored in subscriptions. A message of the server is acknowledged to it only after [Notification.Settle];
//     when too many are not settled no more are asked for, and they wait in the server's queues (subscription.go).
//   - After a broken connection the session is taken up again or the subscriptions are transferred to a new one, and what was
//     on its way is asked for again. What the server no longer has is a [Loss] (resume.go).
//   - The subscriptions stand in a file, so that the process that follows one that was killed takes them over (state.go).
//   - Nodes are named by the URI of their namespace. Its index is looked up after each connect (space.go).
package opcua
