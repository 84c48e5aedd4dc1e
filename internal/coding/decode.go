package coding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"strings"

	"github.com/fairlead/fairlead/internal/outcome"
)

// Known lists the codings that Decode undoes, as the header field Accept-Encoding does.
const Known = "gzip, deflate"

// Deflate is the coding of CoAP's compressed content formats.
const Deflate = "deflate"

// Decode undoes the coding of a body, which the field Content-Encoding names. Without one, or with identity, the body is
// returned as it is. A coding that is not known, and more than one, are outcome.Unsupported; a body that does not have the
// coding is outcome.Invalid; one of more than limit bytes is outcome.TooLarge, and not unpacked any further.
func Decode(field string, body []byte, limit int) ([]byte, error) {
	coding, err := single(field)
	if err != nil {
		return nil, err
	}
	if coding == "" {
		return body, nil
	}
	packed := bytes.NewReader(body)
	var unpacked io.Reader
	switch coding {
	case "gzip", "x-gzip":
		unpacked, err = gzip.NewReader(packed)
	case Deflate:
		unpacked, err = deflated(body, packed)
	default:
		return nil, outcome.New(outcome.Unsupported, "the body has a content coding other than "+Known)
	}
	if err != nil {
		return nil, broken(coding, err)
	}
	plain, err := io.ReadAll(io.LimitReader(unpacked, int64(limit)+1))
	switch {
	case len(plain) > limit:
		return nil, outcome.New(outcome.TooLarge, fmt.Sprintf("the unpacked body is larger than %d bytes", limit))
	case err != nil:
		return nil, broken(coding, err)
	case packed.Len() > 0:
		return nil, outcome.New(outcome.Invalid, "something follows the compressed body")
	}
	return plain, nil
}

// single is the one coding of a list in lower case, "" for none. Each further one would be another chance to pack much into
// little.
func single(field string) (coding string, err error) {
	if field == "" {
		return "", nil
	}
	for element := range strings.SplitSeq(field, ",") {
		element = strings.ToLower(strings.Trim(element, " \t"))
		switch {
		case element == "" || element == "identity":
		case coding != "":
			return "", outcome.New(outcome.Unsupported, "the body has more than one content coding")
		default:
			coding = element
		}
	}
	return coding, nil
}

// deflated unpacks the zlib format (RFC 1950), which the coding is, or the bare deflate format (RFC 1951), which some send
// instead. The first two bytes tell: a bare block cannot begin with them but by a stored block that is not minimal.
func deflated(body []byte, packed *bytes.Reader) (io.Reader, error) {
	const method = 8
	if len(body) >= 2 && body[0]&0x0f == method && (int(body[0])<<8|int(body[1]))%31 == 0 {
		return zlib.NewReader(packed)
	}
	return flate.NewReader(packed), nil
}

func broken(coding string, err error) error {
	return outcome.Wrap(outcome.Invalid, "the body is not what its content coding "+coding+" says", err)
}
