// Command fairlead is what people use: the command line of the registry (login, app, device, set, member, token, apply),
// everything in one process on a laptop (dev), a receiver for events, and the lint and dry run of Trigger manifests.
// Installed as kn-fairlead it is a plugin of kn.
package main
