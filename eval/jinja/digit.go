package jinja

import "unicode"

// digitValue is the value of a decimal digit of any script. Unicode keeps the ten
// digits of a script together, so that each range of them starts with a zero.
func digitValue(r rune) (byte, bool) {
	if r <= 0x7f {
		return byte(r - '0'), r >= '0' && r <= '9'
	}
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	return 0, false
}
