package bench

import "github.com/genai-bench/genai-bench/core/metrics"

// goodput holds the objectives against the task.
func (c *checker) goodput() {
	limits := map[string]metrics.Objective{}
	for _, o := range c.plan.Settings.Goodput {
		if err := o.Fits(c.plan.Task, c.plan.Stream); err != nil {
			c.wrong("goodput", "", "%v", err)
			continue
		}
		if before, twice := limits[o.Metric]; twice {
			c.wrong("goodput", "give each metric once", "%s and %s are about the same metric", before, o)
			continue
		}
		limits[o.Metric] = o
		c.plan.Objectives = append(c.plan.Objectives, o)
	}
}
