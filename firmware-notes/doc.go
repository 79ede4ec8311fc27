// Package notes holds what is known about devices: a note a product, written as
// Markdown with YAML front matter, and their loader. A note says how to know the
// product from what a tap sees, which advisories touch it and what an operator
// should check; weir matches notes to the assets it finds.
// docs/firmware-notes.md describes the format for those who write notes.
package notes
