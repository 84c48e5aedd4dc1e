// Package outbound sends HTTP requests to addresses that users of the registry write. Such an address may be wrong, slow, hostile,
// or point back into the cluster:
//
//   - Where a connection goes is judged when it is made, by the address that the name was resolved to (guard.go): only public
//     addresses and those that the operator allows. Redirects are not followed.
//   - Time, answers, connections and requests in flight are bounded, for each endpoint apart (client.go, endpoint.go). An endpoint
//     that fails again and again is left alone for a while.
//   - Nothing of one owner's endpoint, not even a connection, is used for another's.
//
// Errors hold neither URLs nor credentials.
package outbound
