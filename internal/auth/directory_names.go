package auth

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

// Devices are known by the subjects of their certificates, so that what matters of name constraints (RFC 5280 section 4.2.1.10) is
// directory names. crypto/x509 checks the other kinds, and takes an authority that constrains directory names for one that it does not
// understand. What follows checks them.

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// directoryNameTag is that of a directory name in constraints.
var directoryNameTag = tags.Tag(4).ContextSpecific().Constructed()

// checkedKinds are the tags of the kinds of names whose constraints crypto/x509 checks: addresses of mail, hosts, URIs and IP addresses.
var checkedKinds = []tags.Tag{tags.Tag(1).ContextSpecific(), tags.Tag(2).ContextSpecific(), tags.Tag(6).ContextSpecific(), tags.Tag(7).ContextSpecific()}

var errNameConstraints = errors.New("the names that an authority may issue cannot be read")

// A directoryName is the parts of a name, from its root on, written so that equal parts are equal texts.
type directoryName []string

// below tells whether a name lies in the subtree of another.
func (n directoryName) below(root directoryName) bool {
	return len(n) >= len(root) && slices.Equal(n[:len(root)], root)
}

// directoryConstraints are the subtrees of directory names in which an authority may issue.
type directoryConstraints struct {
	permitted, excluded []directoryName
	unchecked           bool // there are constraints of a kind that nobody checks
}

// permits tells whether an authority may issue a name. Where it names no subtrees that are permitted, all are.
func (c *directoryConstraints) permits(name directoryName) bool {
	holds := func(root directoryName) bool { return name.below(root) }
	return !slices.ContainsFunc(c.excluded, holds) && (len(c.permitted) == 0 || slices.ContainsFunc(c.permitted, holds))
}

// constraintsOf reads those of an authority; nil if it has no name constraints.
func constraintsOf(authority *x509.Certificate) (*directoryConstraints, error) {
	for _, extension := range authority.Extensions {
		if extension.Id.Equal(oidNameConstraints) {
			return parseConstraints(extension.Value)
		}
	}
	return nil, nil
}

func parseConstraints(der []byte) (*directoryConstraints, error) {
	var whole, permitted, excluded cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&whole, tags.SEQUENCE) || !input.Empty() ||
		!whole.ReadOptionalASN1(&permitted, nil, tags.Tag(0).ContextSpecific().Constructed()) ||
		!whole.ReadOptionalASN1(&excluded, nil, tags.Tag(1).ContextSpecific().Constructed()) || !whole.Empty() {
		return nil, errNameConstraints
	}
	c := &directoryConstraints{}
	var err error
	if c.permitted, err = c.subtrees(permitted); err != nil {
		return nil, err
	}
	if c.excluded, err = c.subtrees(excluded); err != nil {
		return nil, err
	}
	return c, nil
}

// subtrees reads the directory names of GeneralSubtrees.
func (c *directoryConstraints) subtrees(list cryptobyte.String) (names []directoryName, err error) {
	for !list.Empty() {
		var subtree, base cryptobyte.String
		var tag tags.Tag
		if !list.ReadASN1(&subtree, tags.SEQUENCE) || !subtree.ReadAnyASN1(&base, &tag) || !subtree.Empty() {
			return nil, errNameConstraints // a minimum or a maximum is never used, says RFC 5280
		}
		switch {
		case tag == directoryNameTag:
			name, err := parseDirectoryName(base)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		case !slices.Contains(checkedKinds, tag):
			c.unchecked = true
		}
	}
	return names, nil
}

// parseDirectoryName reads the DER of a name. Texts are compared without case and without regard to spaces, as RFC 5280 section 7.1 has it;
// how they are encoded does not matter either.
func parseDirectoryName(der []byte) (directoryName, error) {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return nil, errNameConstraints
	}
	name := make(directoryName, len(sequence))
	for i, relative := range sequence {
		attributes := make([]string, len(relative))
		for j, attribute := range relative {
			text, ok := attribute.Value.(string)
			if !ok {
				return nil, errNameConstraints
			}
			attributes[j] = attribute.Type.String() + "=" + strings.ToLower(strings.Join(strings.Fields(text), " "))
		}
		slices.Sort(attributes)
		name[i] = strings.Join(attributes, "\x00")
	}
	return name, nil
}

// understood is an authority as crypto/x509 is to see it: without the complaint about name constraints that are checked here.
func understood(authority *x509.Certificate) *x509.Certificate {
	isConstraints := func(id asn1.ObjectIdentifier) bool { return id.Equal(oidNameConstraints) }
	if !slices.ContainsFunc(authority.UnhandledCriticalExtensions, isConstraints) {
		return authority
	}
	if c, err := constraintsOf(authority); err != nil || c.unchecked {
		return authority
	}
	copied := *authority
	copied.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(authority.UnhandledCriticalExtensions), isConstraints)
	return &copied
}

// namesPermitted tells whether all authorities of a path, leaf first, may issue the directory names below them.
func namesPermitted(path []*x509.Certificate) bool {
	for i, authority := range path[1:] {
		constraints, err := constraintsOf(authority)
		if err != nil {
			return false
		}
		if constraints == nil || (len(constraints.permitted) == 0 && len(constraints.excluded) == 0) {
			continue
		}
		for j, c := range path[:i+1] {
			if j > 0 && bytes.Equal(c.RawSubject, c.RawIssuer) {
				continue // an authority that has another key by now
			}
			name, err := parseDirectoryName(c.RawSubject)
			if err != nil || (len(name) > 0 && !constraints.permits(name)) {
				return false
			}
		}
	}
	return true
}
