// Package assembly puts processes together: functions, gateways, and `fairlead dev`, which is all of them in one.
//
//   - Processes (process.go) is the one table of what Fairlead consists of: the name of each process, which groups of the
//     configuration it needs, and what has to hold between them. It is data only.
//   - Parts (parts.go) are what the processes are made from: log, health, authenticator, producer, pipeline, commands. Open
//     makes those that a process needs, from its configuration and from neighbours that it is given.
//   - The packages functions and gateways attach to each row of the table the constructor of its adapter. They are two,
//     so that the program of the functions does not contain the libraries of the gateways' protocols, nor the other way round.
//
// A new protocol is a folder with its adapter, a row in the table, and a constructor.
package assembly
