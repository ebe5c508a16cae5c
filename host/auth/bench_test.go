package auth

import "testing"

func BenchmarkVerify(b *testing.B) {
	for _, a := range everyAlgorithm(b) {
		b.Run(a.alg, func(b *testing.B) {
			v, _ := open(b, a.config)
			token := a.token(good)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
