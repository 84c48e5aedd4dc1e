package endpoint

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/coding"
	"github.com/fairlead/fairlead/internal/outcome"
)

// ReadBody reads a request's body and undoes its content coding. At most limit bytes are read, and come out of it: a larger
// body is outcome.TooLarge, known before it is read where the request gives its length. One that breaks off is
// outcome.Invalid. One with a coding that is not known is outcome.Unsupported, and the answer's header names those that are.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	packed, err := readWhole(w, r, limit)
	if err != nil {
		return nil, err
	}
	body, err := coding.Decode(strings.Join(r.Header["Content-Encoding"], ","), packed, limit)
	if outcome.Of(err) == outcome.Unsupported {
		w.Header().Set("Accept-Encoding", coding.Known)
	}
	return body, err
}

func readWhole(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, tooLarge(limit, nil)
	}
	body, err := readAll(w, r, limit)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(limit, err)
	}
	if err != nil {
		return nil, outcome.Wrap(outcome.Invalid, "the body did not arrive whole", err)
	}
	return body, nil
}

// readAll reads a body whose length, if it is known, is within the limit. The server ends it after that many bytes.
func readAll(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

func tooLarge(limit int, err error) error {
	return outcome.Wrap(outcome.TooLarge, fmt.Sprintf("the body is larger than %d bytes", limit), err)
}
