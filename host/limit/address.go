package limit

import "net/netip"

// hostBits is what one customer is given of IPv6 at the least (RFC 6177, RFC
// 4291 section 2.5.4): single addresses cost nothing, as there are 2^64 of them.
const hostBits = 64

// AddressKey returns what the limits of an address count by: an IPv4 address as
// a whole, also where it comes as IPv6 (::ffff:192.0.2.1), and of an IPv6
// address its /64, without the zone. Addresses that are not known, the zero
// Addr, share one key. It does not allocate.
func AddressKey(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = hostBits
	}
	key, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // not reached: no such length is too long
	}
	return key
}
