package user

import (
	"errors"
	"fmt"
)

// A Permission is what somebody wants to do with an application. Each includes those before it. The zero value is none.
type Permission uint8

// The permissions.
const (
	Read  Permission = iota + 1 // see the application, its devices and events
	Write                       // change the application, change and delete its devices, send commands
	Admin                       // change its members, delete the application
	Owner                       // give it to somebody else
)

// permissionNames are those of the wire contract.
var permissionNames = [...]string{Read: "Read", Write: "Write", Admin: "Admin", Owner: "Owner"}

// String is the permission's name in the wire contract.
func (p Permission) String() string {
	if p < Read || p > Owner {
		return "none"
	}
	return permissionNames[p]
}

// MarshalText gives the name.
func (p Permission) MarshalText() ([]byte, error) {
	if p < Read || p > Owner {
		return nil, fmt.Errorf("permission %d has no name", uint8(p))
	}
	return []byte(permissionNames[p]), nil
}

var errNoPermission = errors.New("a permission is Read, Write, Admin or Owner")

// UnmarshalText reads a name.
func (p *Permission) UnmarshalText(text []byte) error {
	for known := Read; known <= Owner; known++ {
		if permissionNames[known] == string(text) {
			*p = known
			return nil
		}
	}
	return errNoPermission
}

// A Role is what a member is to an application.
type Role string

// The roles of the wire contract.
const (
	RoleReader  Role = "reader"  // Read
	RoleManager Role = "manager" // Read and Write
	RoleAdmin   Role = "admin"   // Read, Write and Admin
)

// Valid tells whether the role is one of the known ones.
func (r Role) Valid() bool { return r.permission() != 0 }

// permission is the highest one that a role gives; 0 for an unknown role.
func (r Role) permission() Permission {
	switch r {
	case RoleReader:
		return Read
	case RoleManager:
		return Write
	case RoleAdmin:
		return Admin
	default:
		return 0
	}
}
