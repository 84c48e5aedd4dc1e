package coap

import (
	"slices"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/fairlead/fairlead/internal/coding"
	"github.com/fairlead/fairlead/internal/event"
)

// A contentFormat is a media type with its number in the registry "CoAP Content-Formats".
type contentFormat struct {
	number uint32
	media  string
	coding string // of the content; "" for none
}

// contentFormats are those of the registry, by number.
func contentFormats() []contentFormat {
	return []contentFormat{
		{0, "text/plain; charset=utf-8", ""},
		{16, `application/cose; cose-type="cose-encrypt0"`, ""},
		{17, `application/cose; cose-type="cose-mac0"`, ""},
		{18, `application/cose; cose-type="cose-sign1"`, ""},
		{19, "application/ace+cbor", ""},
		{21, "image/gif", ""},
		{22, "image/jpeg", ""},
		{23, "image/png", ""},
		{40, "application/link-format", ""},
		{41, "application/xml", ""},
		{42, "application/octet-stream", ""},
		{47, "application/exi", ""},
		{50, "application/json", ""},
		{51, "application/json-patch+json", ""},
		{52, "application/merge-patch+json", ""},
		{60, "application/cbor", ""},
		{61, "application/cwt", ""},
		{62, "application/multipart-core", ""},
		{63, "application/cbor-seq", ""},
		{96, `application/cose; cose-type="cose-encrypt"`, ""},
		{97, `application/cose; cose-type="cose-mac"`, ""},
		{98, `application/cose; cose-type="cose-sign"`, ""},
		{101, "application/cose-key", ""},
		{102, "application/cose-key-set", ""},
		{110, "application/senml+json", ""},
		{111, "application/sensml+json", ""},
		{112, "application/senml+cbor", ""},
		{113, "application/sensml+cbor", ""},
		{114, "application/senml-exi", ""},
		{115, "application/sensml-exi", ""},
		{140, "application/yang-data+cbor; id=sid", ""},
		{256, "application/coap-group+json", ""},
		{257, "application/concise-problem-details+cbor", ""},
		{258, "application/swid+cbor", ""},
		{271, "application/dots+cbor", ""},
		{272, "application/missing-blocks+cbor-seq", ""},
		{280, "application/pkcs7-mime; smime-type=server-generated-key", ""},
		{281, "application/pkcs7-mime; smime-type=certs-only", ""},
		{284, "application/pkcs8", ""},
		{285, "application/csrattrs", ""},
		{286, "application/pkcs10", ""},
		{287, "application/pkix-cert", ""},
		{290, "application/aif+cbor", ""},
		{291, "application/aif+json", ""},
		{310, "application/senml+xml", ""},
		{311, "application/sensml+xml", ""},
		{320, "application/senml-etch+json", ""},
		{322, "application/senml-etch+cbor", ""},
		{340, "application/yang-data+cbor", ""},
		{341, "application/yang-data+cbor; id=name", ""},
		{432, "application/td+json", ""},
		{433, "application/tm+json", ""},
		{10000, "application/vnd.ocf+cbor", ""},
		{10001, "application/oscore", ""},
		{10002, "application/javascript", ""},
		{11050, "application/json", coding.Deflate},
		{11060, "application/cbor", coding.Deflate},
		{11542, "application/vnd.oma.lwm2m+tlv", ""},
		{11543, "application/vnd.oma.lwm2m+json", ""},
		{11544, "application/vnd.oma.lwm2m+cbor", ""},
		{20000, "text/css", ""},
		{30000, "image/svg+xml", ""},
	}
}

// A formats finds media types by number and numbers by media type.
type formats struct {
	byNumber map[uint32]contentFormat
	byMedia  map[string]uint32
}

func newFormats() formats {
	f := formats{map[uint32]contentFormat{}, map[string]uint32{}}
	for _, c := range slices.Backward(contentFormats()) {
		f.byNumber[c.number] = c
		if c.coding == "" {
			f.byMedia[c.media] = c.number
		}
	}
	return f
}

// of is the content format of a request, without media type and coding if it gives none or one that is not known.
func (f formats) of(number uint32, given bool) contentFormat {
	if !given {
		return contentFormat{}
	}
	return f.byNumber[number]
}

// option is the Content-Format of a media type, if it has a number.
func (f formats) option(media string) (number uint32, ok bool) {
	if number, ok = f.byMedia[media]; ok {
		return number, true
	}
	// A parameter or a letter's case seldom makes another format, and one that does is in the table.
	plain := event.MediaType(media)
	if plain == "text/plain" {
		plain = f.byNumber[uint32(message.TextPlain)].media
	}
	number, ok = f.byMedia[plain]
	return number, ok
}
