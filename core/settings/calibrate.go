package settings

import (
	"time"

	"github.com/spf13/pflag"
)

// calibrateFlags are the flags of benchmark that calibrate has too.
var calibrateFlags = [...]string{
	"traffic-scenario", "seed",
	"execution-engine", "num-concurrency", "qps-level", "distribution", "burstiness", "num-workers", "max-time-per-run", "drain-timeout",
	"clock", "experiment-base-dir", "plugin-dir",
}

// CalibrateFlags declares those flags of the benchmark command that make sense
// for calibrate, with defaults of their own, and returns the settings that they
// fill; all others are as benchmark has them.
func CalibrateFlags(fs *pflag.FlagSet) *Benchmark {
	all := pflag.NewFlagSet("calibrate", pflag.ContinueOnError)
	b := BenchmarkFlags(all)
	b.Scenarios = []string{"U(50,150)/(25,75)"}
	b.NumConcurrency = []int{64}
	b.MaxTimePerRun = 8 * time.Second
	b.DrainTimeout = 10 * time.Second
	fs.SortFlags = false
	for _, name := range calibrateFlags {
		f := all.Lookup(name)
		switch name {
		case "traffic-scenario":
			f.DefValue, f.Usage = b.Scenarios[0], "sizes of the requests"
		case "num-concurrency":
			f.DefValue, f.Usage = "64", "streams at once, repeatable"
		case "max-time-per-run":
			f.DefValue, f.Usage = "8s", "how long each load is measured: minutes, or a duration as 90s"
		case "drain-timeout":
			f.DefValue = "10s"
		case "experiment-base-dir":
			f.Usage = "keep the folders of all runs there, each with the simulator's records; default is to remove them"
		}
		fs.AddFlag(f)
	}
	return b
}
