package plugins_test

import (
	"context"
	"fmt"
	"os"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// A module is loaded once and asked as often as there are callbacks.
func Example() {
	wasm, err := os.ReadFile("testdata/faults/echo.wasm")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := plugins.Load(context.Background(), wasm, plugins.Config{Name: "echo"})
	if err != nil {
		fmt.Println(err) // such as: plugin echo: module speaks ABI version 2, ...
		return
	}
	var resp abi.Response
	var buf []byte
	buf, err = p.Handle(&abi.Request{
		Callback: abi.CallbackHandleIn, Topic: []byte("t"), Event: []byte("e"), Payload: []byte(`{"n":1}`),
	}, buf, &resp)
	fmt.Println(resp.Result, string(resp.Payload), len(buf) > 0, err)
	fmt.Println(p.Close())
	// Output:
	// reply {"n":1} true <nil>
	// <nil>
}
