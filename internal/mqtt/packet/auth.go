package packet

// Decode reads the body of an AUTH that a client sent. It always has a method (section 3.15.2.2.2); without a body it would
// mean success, which only a server says. The reason string and the user properties are checked and left.
func (p *Auth) Decode(body []byte) error {
	*p = Auth{}
	r := reader{rest: body}
	if len(body) > 0 {
		p.Reason = Reason(r.byte())
		p.properties(&r)
	}
	if p.Reason != ContinueAuthentication && p.Reason != ReAuthenticate {
		r.fail(ProtocolError, "a client does not authenticate with this reason code")
	}
	return r.end()
}

func (p *Auth) properties(r *reader) {
	ps := r.properties(ofAuth)
	for id := ps.next(r); id != 0; id = ps.next(r) {
		switch id {
		case authenticationMethod:
			p.AuthenticationMethod = r.text()
		case authenticationData:
			p.AuthenticationData = r.binary()
		case reasonString:
			r.text()
		}
	}
	if !ps.has(authenticationMethod) {
		r.fail(ProtocolError, "there is no authentication method")
	}
}
