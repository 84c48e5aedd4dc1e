package endpoint

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/fairlead/fairlead/internal/outcome"
)

// ReadBody reads a request's body of at most limit bytes. A larger one is outcome.TooLarge, known before it is read
// where the request gives its length; one that breaks off is outcome.Invalid.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, tooLarge(limit, nil)
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, int64(limit)), r.ContentLength)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(limit, err)
	}
	if err != nil {
		return nil, outcome.Wrap(outcome.Invalid, "the body did not arrive whole", err)
	}
	return body, nil
}

func readAll(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}

func tooLarge(limit int, err error) error {
	return outcome.Wrap(outcome.TooLarge, fmt.Sprintf("the body is larger than %d bytes", limit), err)
}
