package module_test

import (
	"fmt"

	"github.com/aviary-host/aviary/plugins/module"
)

// A module is decoded, changed and encoded.
func Example() {
	wasm := "\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // a type, () -> ()
		"\x03\x02\x01\x00" + // a function of it
		"\x0a\x04\x01\x02\x00\x0b" // its code
	m, err := module.Decode([]byte(wasm), module.DefaultCaps())
	if err != nil {
		fmt.Println(err)
		return
	}
	f := &m.Funcs[0]
	f.Body = append([]module.Instr{{Op: module.OpUnreachable}}, f.Body...)
	fmt.Printf("%x\n", m.Encode()[18:])

	_, err = module.Decode([]byte(wasm[:20]), module.DefaultCaps())
	fmt.Println(err)
	// Output:
	// 0a05010300000b
	// code section: size of 4 bytes, 0 are left (byte 20)
}
