package sdk

import (
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// logTo makes hclog, log and log/slog write the lines that the host reads:
// hclog's JSON, from the level on that the host asked for.
func logTo(w io.Writer, name, level string) hclog.Logger {
	from := hclog.LevelFromString(level)
	if from == hclog.NoLevel {
		from = hclog.Info
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: name, Level: from, Output: w, JSONFormat: true})
	hclog.SetDefault(logger)
	log.SetFlags(0)
	log.SetPrefix("")
	slog.SetDefault(slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: slogLevel(from), ReplaceAttr: asHclog,
	})))
	// After slog.SetDefault, which takes the log package over as well.
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true}))
	return logger
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace:
		return slog.LevelDebug - 4
	case hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	case hclog.Off:
		return slog.LevelError + 100
	}
	return slog.LevelInfo
}

// asHclog renames the fields that slog writes by itself.
func asHclog(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		if a.Value.Kind() == slog.KindTime {
			return slog.String("@timestamp", a.Value.Time().Format(hclog.TimeFormatJSON))
		}
	case slog.MessageKey:
		a.Key = "@message"
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("@level", hclogName(level))
		}
	}
	return a
}

func hclogName(level slog.Level) string {
	switch {
	case level < slog.LevelDebug:
		return "trace"
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	}
	return "error"
}
