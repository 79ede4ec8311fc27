package tags

import (
	"bytes"
	"strings"
	"testing"
)

const example = `device,unit,table,address,name,type,order,scale,offset,engineering_unit,low,high,confidence
10.0.0.2,1,holding-register,0,"level, T1",float32,CDAB,1,0,m,0,6.5,1
10.0.0.2,1,holding-register,2,flow,int16,ABCD,0.1,-5,l/s,,,0.9
10.0.0.3,1024,analog-input,7,voltage,number,ABCD,1,0,kV,,,1
`

func TestASavedListIsTheListLoaded(t *testing.T) {
	var b bytes.Buffer
	if err := mustList(t, example).Save(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != example {
		t.Errorf("saved\n%swant\n%s", b.String(), example)
	}
}

func TestAMistakeInAListIsToldWithItsPlace(t *testing.T) {
	const head = "device,unit,table,address,name,type,order\n"
	for _, c := range []struct{ csv, want string }{
		{"", "tags.csv: the file is empty"},
		{"device,unit,address\n", `tags.csv:1: no column "table"`},
		{"device,ip,table,address\n", `tags.csv:1: column "device" is there twice`},
		{head + "10.0.0.2,1,coil,0,a,,\nplc,1,coil,1,b,,\n", `tags.csv:3:1: device "plc" is not an IP address`},
		{head + "10.0.0.2,1,coils,0,a,,\n", `tags.csv:2:12: table "coils" is none of`},
		{head + "10.0.0.2,1,coil,-1,a,,\n", `tags.csv:2:17: address "-1" is not a number`},
		{head + "10.0.0.2,1,holding-register,0,a,flot32,\n", `tags.csv:2:33: type "flot32" is none of`},
		{head + "10.0.0.2,1,holding-register,0,a,float32,DEAD\n", `tags.csv:2:41: order "DEAD" is none of`},
		{head + "10.0.0.2,1,coil,0,a,float32,\n", `tags.csv:2:1: a coil is a bit`},
		{head + "10.0.0.2,1,holding-register,65535,a,float32,\n", `goes past 65535`},
		{head + "10.0.0.2,1,holding-register,0,a,float32,\n10.0.0.2,1,holding-register,1,b,,\n", `tag "b": holding-register 1 of 10.0.0.2 unit 1 already belongs to tag "a"`},
		{head + "10.0.0.2,1,coil,0,\"a\n", `tags.csv`},
	} {
		_, err := Load(strings.NewReader(c.csv), "tags.csv")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gave error %v, want %s", c.csv, err, c.want)
		}
	}
}

func TestAListMayUseSemicolonsCommentsAndOtherColumns(t *testing.T) {
	l := mustList(t, "\ufeff# made by hand\nTable;Address;Device;Who;Byte/Word Order;Data Type\nInput Register;0x10;10.0.0.9;me;CDAB;REAL\n")
	if got := l.Tags()[0]; got.Address != 16 || got.Type != Float32 || got.Order != CDAB {
		t.Errorf("tag %+v", got)
	}
}

func TestAMergedListKeepsWhatWasGiven(t *testing.T) {
	given := mustList(t, "device,table,address,name,type\n10.0.0.2,holding-register,1,mine,uint16\n")
	inferred := mustList(t, "device,table,address,name,type\n10.0.0.2,holding-register,0,a,float32\n10.0.0.2,holding-register,4,b,float32\n")
	m := given.Merge(inferred)
	if len(m.Tags()) != 2 || m.Tags()[0].Name != "mine" || m.Tags()[1].Name != "b" {
		t.Errorf("merged %+v", m.Tags())
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(example)
	f.Add("device;table;address\n::1;coil;0\n")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Load(strings.NewReader(s), "f")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := l.Save(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Load(&b, "f")
		if err != nil {
			t.Fatalf("a saved list does not load: %v", err)
		}
		if len(again.Tags()) != len(l.Tags()) {
			t.Fatalf("%d tags saved, %d loaded", len(l.Tags()), len(again.Tags()))
		}
	})
}
