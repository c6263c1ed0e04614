package settings

import (
	"strings"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// objectives is a repeatable list of goodput's limits; commas separate too.
type objectives struct{ list *[]metrics.Objective }

func (v *objectives) String() string {
	if v.list == nil {
		return ""
	}
	return strings.Join(v.GetSlice(), ",")
}

func (v *objectives) Type() string { return "metric:limit" }

func (v *objectives) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if err := v.Append(part); err != nil {
			return err
		}
	}
	return nil
}

// Append implements pflag.SliceValue.
func (v *objectives) Append(text string) error {
	o, err := metrics.ParseObjective(text)
	if err != nil {
		return err
	}
	*v.list = append(*v.list, o)
	return nil
}

// Replace implements pflag.SliceValue.
func (v *objectives) Replace(texts []string) error {
	*v.list = nil
	for _, text := range texts {
		if err := v.Append(text); err != nil {
			return err
		}
	}
	return nil
}

// GetSlice implements pflag.SliceValue.
func (v *objectives) GetSlice() []string {
	var texts []string
	for _, o := range *v.list {
		texts = append(texts, o.String())
	}
	return texts
}
