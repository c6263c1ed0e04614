//go:build !linux

package workers_test

import (
	"context"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func clockHere(backend.Config) stamp.Clock { return stamp.ClockUser }

func dialAs(context.Context, string, backend.Config) report {
	return report{Clock: "user", TxClock: "unspecified"}
}
