package coap

// A Refusal is a request that is refused before the handler is asked.
type Refusal struct {
	Request  *Request // valid until the function returns
	Response Response
	Silent   bool // nothing is sent
}

// OnRefusal has a function told of requests that are refused before the handler is asked. It must return soon, and is for
// before the first peer.
func (e *Endpoint) OnRefusal(f func(Refusal)) { e.onRefusal = f }

func (e *Endpoint) refused(r *Request, response Response, silent bool) {
	if e.onRefusal != nil {
		e.onRefusal(Refusal{r, response, silent})
	}
}
