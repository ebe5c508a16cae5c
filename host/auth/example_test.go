package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/aviary-host/aviary/host/auth"
)

// A Verifier is made once and asked whenever a client connects.
func Example() {
	secret := []byte("32 bytes that nobody else knows.")
	v, err := auth.New(auth.Config{Algorithms: []string{"HS256"}, Secret: secret, Audience: "aviary"})
	if err != nil {
		fmt.Println(err) // such as: auth configuration: secret has 8 bytes, HS256 needs at least 32
		return
	}
	defer func() { fmt.Println(v.Close()) }()

	got, err := v.Verify(context.Background(), sign(secret, `{"sub":"ada","aud":"aviary","exp":4102444800}`))
	fmt.Println(got.Subject, got.Expiry.UTC().Year(), string(got.JSON), err)

	_, err = v.Verify(context.Background(), sign(secret, `{"sub":"ada","aud":"elsewhere","exp":4102444800}`))
	fmt.Println(errors.Is(err, auth.ErrAudience), err)
	// Output:
	// ada 2100 {"sub":"ada","aud":"aviary","exp":4102444800} <nil>
	// true token is for another audience: it has to be for "aviary"
	// <nil>
}

// sign is what the issuer does.
func sign(secret []byte, claims string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64([]byte(claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}
