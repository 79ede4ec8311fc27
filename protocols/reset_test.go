package protocols

import (
	"net/netip"
	"reflect"
	"testing"
)

// fill sets every field of v to something that is not its zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 8))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Array:
		fill(v.Index(0))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	}
}

func TestResetLeavesNothingOfTheMessageBefore(t *testing.T) {
	var e Event
	fill(reflect.ValueOf(&e).Elem())
	e.Src.IP, e.Dst.IP = netipAddr, netipAddr
	e.Detail = detail{}
	e.Reset()
	want := Event{Sub: -1, RTT: -1}
	got, fresh := reflect.ValueOf(e), reflect.ValueOf(want)
	for i := range got.NumField() {
		name := got.Type().Field(i).Name
		if f := got.Field(i); f.Kind() == reflect.Slice {
			if f.Len() != 0 || f.Cap() != 8 {
				t.Errorf("%s has length %d and capacity %d; want 0 and the capacity of before, 8", name, f.Len(), f.Cap())
			}
		} else if !reflect.DeepEqual(f.Interface(), fresh.Field(i).Interface()) {
			t.Errorf("%s is %v", name, f)
		}
	}
}

var netipAddr = netip.MustParseAddr("2001:db8::1%eth0")

type detail struct{}

func (detail) AppendFields(dst []byte) []byte { return dst }

func BenchmarkReset(b *testing.B) {
	e := new(Event)
	for b.Loop() {
		e.Reset()
	}
}
