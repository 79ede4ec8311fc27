package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
)

func TestASectionThatIsMadeWhileSavingIsLikeAnyOther(t *testing.T) {
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	whole := &Baseline{Sections: map[string]json.RawMessage{"a": json.RawMessage("[1]"), "b": json.RawMessage(`{"x":2}`), "c": json.RawMessage("3")}}
	parts := &Baseline{Sections: map[string]json.RawMessage{"b": json.RawMessage(`{"x":2}`)},
		Streams: map[string]func(io.Writer) error{"a": write("[1]"), "c": write("3")}}
	var x, y bytes.Buffer
	if err := errors.Join(whole.Save(&x), parts.Save(&y)); err != nil || !bytes.Equal(x.Bytes(), y.Bytes()) {
		t.Errorf("saved as\n%s\nand with streams as\n%s\n(error %v)", x.Bytes(), y.Bytes(), err)
	}
	back, err := LoadBaseline(&y)
	if err != nil || string(back.Sections["a"]) != "[1]" || string(back.Sections["c"]) != "3" {
		t.Errorf("sections came back as %s (error %v)", back.Sections, err)
	}
	bad := errors.New("it cannot be made")
	parts.Streams["a"] = func(io.Writer) error { return bad }
	if err := parts.Save(io.Discard); !errors.Is(err, bad) {
		t.Errorf("a section that cannot be made raised %v", err)
	}
}
