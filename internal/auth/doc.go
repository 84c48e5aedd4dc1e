// Package auth decides who a device is and for whom it may speak.
//
// It is a stack of decorators around one interface, [Authenticator]; outermost first:
//
//   - [Steady] makes every refusal look and take the same, and slows guessing down.
//   - [Cache] remembers decisions for a short while, and takes them back at once when the registry changes.
//   - [Service] judges a credential against the registry's documents. It is the only place that sees stored secrets.
//     In its place stands, where the registry is not within reach, a [Client], which asks a Service in another process
//     over the JSON of the device authentication API.
//
// Adapters build a [Request], with [FromHTTP], [FromMQTT] or [FromCertificates], get a [Session] and know nothing else.
// No document in a Session holds a secret.
//
// No lock is taken while another is held, and none is held while another layer is called.
package auth
