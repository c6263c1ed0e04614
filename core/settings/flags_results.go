package settings

import (
	"strings"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// results declares the flags that say what is made of the figures.
func (b *Benchmark) results(d declarer) {
	b.MetricsTimeUnit = "s"
	d.value(enumValue{&b.MetricsTimeUnit, []string{"s", "ms"}}, "metrics-time-unit", "unit of latencies, shown and stored")
	d.text(&b.ExperimentBaseDir, "experiment-base-dir", "where the experiment's folder is made; default is the current folder")
	d.text(&b.ExperimentFolderName, "experiment-folder-name", "name of the experiment's folder; default says backend, task, model and time")
	d.text(&b.LogDir, "log-dir", "folder for the log; default is the experiment's own")
	d.value(&objectives{&b.Goodput}, "goodput", "limit that a request must meet to count as good, repeatable, as ttft:100 (ms), tpot:20ms, e2e:3s; failed requests count against; "+strings.Join(metrics.ObjectiveMetrics(), ", ")+" are known")
	d.flag(&b.Strict, "strict", "exit code 3 where a run has a warning for which its figures are not to be trusted")
	d.flag(&b.Calibrate, "calibrate", "after the last run, find out how far this tool's times are off on this machine at each level (some 8 s each), and say so in the report")
	d.flag(&b.SaveTexts, "save-texts", "keep the text of every answer in the journal")
}

// program declares the flags of this program.
func (b *Benchmark) program(d declarer) {
	d.text(&b.Config, "config", "YAML or JSON file of settings, its keys the names of flags")
	d.list(&b.PluginDirs, "plugin-dir", "folder searched for plugins before all others, repeatable")
	d.flag(&b.NoPreflight, "no-preflight", "start without asking the server first whether it would work")
	d.flag(&b.Yes, "yes", "answer questions with yes")
}
