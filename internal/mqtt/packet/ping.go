package packet

// AppendPingresp writes a PINGRESP (section 3.13).
func AppendPingresp(b []byte) []byte { return append(b, byte(PINGRESP)<<4, 0) }
