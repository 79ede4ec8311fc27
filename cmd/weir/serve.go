package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/console"
	"github.com/weir-ics/weir/detect"
	notes "github.com/weir-ics/weir/firmware-notes"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/rules"
	"github.com/weir-ics/weir/store"
)

func newServe() *cobra.Command {
	var configPath, listen, token string
	cmd := &cobra.Command{
		Use:     "serve [STORE]",
		GroupID: "main",
		Short:   "Serve the web console over a store that replay or run wrote",
		Long: `Serve the web console over a store that weir replay or weir run wrote. It
listens on this machine only unless told otherwise, sends nothing anywhere and
needs no internet. weir run has the console built in.`,
		Example: `  weir serve
  weir serve plant.db --listen 127.0.0.1:9000`,
		Args: between(0, 1, "one store"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(configPath)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				c.Store.Path = args[0]
			}
			if listen != "" {
				c.Console.Listen = listen
				c.places.forget("console.listen")
			}
			if token != "" {
				c.Console.Token = token
			}
			log, err := newLogger(cmd, c)
			if err != nil {
				return err
			}
			s, err := openStore(c.Store.Path, log)
			if err != nil {
				return err
			}
			defer s.Close(context.Background())
			return c.serve(cmd, s, log)
		},
	}
	cmd.Flags().StringVarP(&configPath, "config", "c", "", "read options from a weir.yaml")
	cmd.Flags().StringVarP(&listen, "listen", "l", "", "address to listen on, host:port (default "+console.DefaultAddress+")")
	cmd.Flags().StringVar(&token, "token", "", "ask for this password")
	return cmd
}

// openStore opens a store that replay or run wrote, to look at it.
func openStore(path string, log *slog.Logger) (*store.Store, error) {
	if path == "" {
		return nil, usage(errors.New("no store is named: give its file, or set store.path"))
	}
	s, err := store.Open(path, store.Options{Kind: kindNamed, Log: log, Existing: true})
	if err != nil {
		return nil, usage(fmt.Errorf("%w; weir replay and weir run write stores", err))
	}
	return s, nil
}

// serve runs the console until the command is interrupted.
func (c *config) serve(cmd *cobra.Command, s *store.Store, log *slog.Logger) error {
	handler, err := c.console(s, log)
	if err != nil {
		return err
	}
	return serveConsole(cmd, c.Console.Listen, handler, "the console is at %s (ctrl-C ends it)\n")
}

// serveConsole serves until the command is interrupted; words say where.
func serveConsole(cmd *cobra.Command, listen string, handler http.Handler, words string) error {
	return console.Serve(cmd.Context(), listen, handler, func(a net.Addr) {
		fmt.Fprintf(cmd.OutOrStdout(), words, console.URL(a))
	})
}

func (c *config) console(s *store.Store, log *slog.Logger) (http.Handler, error) {
	if err := checkListen(c.Console.Listen); err != nil {
		return nil, usage(c.places.wrong("console.listen", err))
	}
	for i, folder := range c.Notes.Folders {
		if err := c.places.there(fmt.Sprint("notes.folders.", i), folder); err != nil {
			return nil, err
		}
	}
	set, err := rules.Load(c.Rules.Paths...)
	if err != nil {
		return nil, usage(err)
	}
	library, err := notes.Load(c.Notes.Folders...)
	if err != nil {
		return nil, usage(err)
	}
	host, _, err := net.SplitHostPort(c.Console.Listen)
	if err != nil {
		return nil, usage(fmt.Errorf("console.listen: %w", err))
	}
	if ip := net.ParseIP(host); c.Console.Token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		log.Warn("the console can be reached from other machines and asks for no password; set console.token", "listen", c.Console.Listen)
	}
	return console.New(s, console.Options{
		Version: versionLine(), Kinds: kinds(), Rules: shownRules(set), Token: c.Console.Token, Log: log,
		Problem: func() string { // without the file's name, which is not for browsers
			return strings.TrimPrefix(s.Report().Problem, "write store "+c.Store.Path+": ")
		},
		Notes: func(a detect.Asset) []console.Note { return shownNotes(library, &a) },
	}), nil
}

// kinds is the catalogue in the order of names.
func kinds() []*detect.Kind {
	var all []*detect.Kind
	for _, k := range catalogue() {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *detect.Kind) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func shownRules(set *rules.Set) []console.Rule {
	var out []console.Rule
	for _, r := range set.Rules() {
		out = append(out, console.Rule{ID: r.ID, Title: r.Title, Description: r.Why, Severity: r.Severity.String(),
			When: r.When(), Action: r.Action, Techniques: r.Techniques, Source: r.File})
	}
	return out
}

func shownNotes(library *notes.Library, a *detect.Asset) []console.Note {
	var out []console.Note
	for _, m := range library.Match(a) {
		n := console.Note{Title: m.Note.Vendor + " " + m.Note.Product, Text: m.Note.Body, Matched: m.Because, References: m.Note.Sources}
		if !m.Certain {
			n.Matched += " (the maker of its network interface, not certain)"
		}
		for i, v := range m.Note.Advisories {
			n.Text += fmt.Sprintf("\n\n%s: %s: %s", m.Exposures[i], v.ID, v.Title)
			if m.Exposures[i] == notes.Affected && m.Certain {
				n.Severity = protocols.High.String()
			}
		}
		out = append(out, n)
	}
	return out
}
