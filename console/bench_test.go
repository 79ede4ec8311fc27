package console

import (
	"fmt"
	"testing"

	"github.com/weir-ics/weir/detect"
)

// BenchmarkPages is what a page costs, the reading from memory included.
func BenchmarkPages(b *testing.B) {
	f := newFake()
	for i := range 5000 {
		a := f.alerts[i%7]
		a.ID = fmt.Sprint(i)
		f.alerts = append(f.alerts, a)
	}
	ip := laptop
	for range 10_000 {
		ip = ip.Next()
		f.assets = append(f.assets, detect.Asset{IP: ip, Name: "host", Known: true, Roles: []string{"modbus server"}})
		f.links = append(f.links, detect.Link{Client: hmi, Server: ip, Messages: 1, Known: true})
	}
	h := New(f, options())
	for _, path := range []string{"/", "/alerts?state=any", "/alerts/c9t2v6jb8wqs", "/assets", "/links", "/trends?s=1a", "/api/v1/alerts", "/api/v1/series/1a/samples"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(h, request("GET", path, ""))
			}
		})
	}
}
