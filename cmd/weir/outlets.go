package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/influx"
	"github.com/weir-ics/weir/sinks/jsonl"
	"github.com/weir-ics/weir/sinks/syslog"
	"github.com/weir-ics/weir/store"
)

// outlets are where a run writes to.
type outlets struct {
	list   []outlet
	values bool // one of them takes values
	store  *store.Store
	sinks  []sinks.Sink
	run    int64 // of the store
}

// patient tells the sinks that lose what does not fit into their queues that there
// will be more at once than usual and that it may wait, or no longer.
func (o *outlets) patient(on bool) {
	for _, s := range o.sinks {
		if s, ok := s.(interface{ Patient(bool) }); ok {
			s.Patient(on)
		}
	}
}

// openOutlets opens the store and the sinks of the configuration. live tells a
// sensor, which must never wait, from a replay, which must not lose.
func (c *config) openOutlets(log *slog.Logger, live bool, command string, input []string) (*outlets, error) {
	o := &outlets{}
	if c.Store.Path != "" {
		s, err := store.Open(c.Store.Path, store.Options{
			Retention: store.Retention{MaxBytes: int64(c.Store.MaxSize), MinuteAge: time.Duration(c.Store.MaxAge)},
			Wait:      !live,
			Kind:      kindNamed,
			Log:       log,
		})
		if err != nil && !live {
			err = fmt.Errorf("%w (--store FILE keeps it elsewhere, --store none not at all)", err)
		}
		if err != nil {
			return nil, usage(err)
		}
		o.store, o.values = s, true
		o.list = append(o.list, s)
		o.run, err = s.BeginRun(context.Background(), store.Run{
			Started: time.Now().UnixNano(), Command: command, Input: strings.Join(input, " "), Version: versionLine(),
		})
		if err != nil {
			log.Warn("the store does not take note of this run", "error", err)
		}
	}
	if c.InfluxDB.URL != "" {
		token := c.InfluxDB.Token
		if c.InfluxDB.TokenFile != "" {
			data, err := os.ReadFile(c.InfluxDB.TokenFile)
			if err != nil {
				return nil, usage(errors.Join(c.places.wrong("influxdb.token-file", fmt.Errorf("%s: %w", c.InfluxDB.TokenFile, reason(err))), o.abandon()))
			}
			token = strings.TrimSpace(string(data))
		}
		spool := c.InfluxDB.Spool
		if spool == "" && c.Store.Path != "" {
			spool = c.Store.Path + ".unsent"
		}
		s, err := influx.New(influx.Options{
			URL: c.InfluxDB.URL, Token: token, Org: c.InfluxDB.Org, Bucket: c.InfluxDB.Bucket,
			Spool: spool, SpoolBytes: int64(c.InfluxDB.SpoolSize), Wait: !live, Log: log, Sensor: c.sensor(),
		})
		if err != nil {
			return nil, usage(errors.Join(err, o.abandon()))
		}
		o.addSink(s)
		o.values = true
	}
	if c.Alerts.File != "" {
		s, err := jsonl.Create(c.Alerts.File, sinks.LinesOptions{List: !live, MaxBytes: int64(c.Alerts.MaxSize), Keep: c.Alerts.Keep, Log: log})
		if err != nil {
			return nil, usage(errors.Join(err, o.abandon()))
		}
		o.addSink(s)
	}
	if c.Syslog.Address != "" {
		s, err := syslog.New(syslog.Options{
			Network: c.Syslog.Network, Address: c.Syslog.Address, Format: syslog.Format(c.Syslog.Format), Host: c.sensor(), Version: version, Log: log,
		})
		if err != nil {
			return nil, usage(errors.Join(err, o.abandon()))
		}
		o.addSink(s)
	}
	return o, nil
}

// sensor is the name under which others know this sensor.
func (c *config) sensor() string {
	if c.Sensor != "" {
		return c.Sensor
	}
	name, err := os.Hostname()
	if err != nil {
		return "weir"
	}
	return name
}

func (o *outlets) addSink(s sinks.Sink) {
	o.sinks = append(o.sinks, s)
	o.list = append(o.list, s)
}

// abandon closes what was opened before an error.
func (o *outlets) abandon() error {
	var problems []error
	for _, x := range o.list {
		problems = append(problems, x.Close(context.Background()))
	}
	return errors.Join(problems...)
}

// endRun notes in the store how the run ended. It must come before the store is
// closed.
func (o *outlets) endRun(status detect.Status, summary string) error {
	if o.store == nil {
		return nil
	}
	ctx := context.Background()
	return errors.Join(o.store.SetStatus(ctx, status), o.store.EndRun(ctx, o.run, time.Now().UnixNano(), summary))
}

// print says what became of what was written.
func (o *outlets) print(w io.Writer) {
	if o.store != nil {
		r := o.store.Report()
		fmt.Fprintf(w, "\n%s\nlook at it with: weir serve %s\n", r, r.Path)
	}
	for _, s := range o.sinks {
		r := s.Report()
		fmt.Fprintf(w, "%s\n", r)
		if r.Problem != "" {
			fmt.Fprintf(w, "  %s\n", r.Problem)
		}
	}
}

// kindNamed looks a kind up in the catalogue.
func kindNamed(name string) *detect.Kind { return catalogue()[name] }

func newLogger(cmd *cobra.Command, c *config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return nil, usage(c.places.wrong("log.level", err))
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), options)), nil
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options)), nil
}
