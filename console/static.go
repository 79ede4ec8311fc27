package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

//go:embed assets
var assetFiles embed.FS

// file is what a page loads: script, style or picture.
type file struct {
	body        []byte
	contentType string
	// hash stands in the address that pages use, so that a browser may keep the
	// file for ever and still gets the new one after an update.
	hash string
}

var contentTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
}

var files = readFiles()

// readFiles cannot fail: what it reads is part of the program.
func readFiles() map[string]file {
	m := map[string]file{}
	entries, _ := fs.ReadDir(assetFiles, "assets")
	for _, f := range entries {
		ct, served := contentTypes[path.Ext(f.Name())]
		if !served {
			ct = "text/plain; charset=utf-8"
		}
		body, _ := fs.ReadFile(assetFiles, "assets/"+f.Name())
		sum := sha256.Sum256(body)
		m[f.Name()] = file{body, ct, hex.EncodeToString(sum[:6])}
	}
	return m
}

// assetURL is the address a page loads an asset from.
func assetURL(name string) string { return "/files/" + name + "?v=" + files[name].hash }

func (c *console) serveFile(w http.ResponseWriter, r *http.Request) {
	f, ok := files[r.PathValue("name")]
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such file")
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	if r.URL.Query().Get("v") == f.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	answer(w, r, f.body, f.hash)
}

// answer writes body, or says that the browser already has it.
func answer(w http.ResponseWriter, r *http.Request, body []byte, tag string) {
	w.Header().Set("ETag", `"`+tag+`"`)
	if r.Header.Get("If-None-Match") == `"`+tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(body)
}
