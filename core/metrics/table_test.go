package metrics_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// sameValues holds null equal to null.
var sameValues = cmp.Comparer(func(x, y metrics.Value) bool { return x == y || !x.Exists() && !y.Exists() })

func spoolFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestATableKeepsEveryField: what is read is what was added, in the order of
// adding, over several blocks.
func TestATableKeepsEveryField(t *testing.T) {
	code, text := 429, "say \"no\",\n\u2028 \x00"
	empty := ""
	var full metrics.Request
	for i := range reflect.TypeFor[metrics.Request]().NumField() {
		switch f := reflect.ValueOf(&full).Elem().Field(i); f.Kind() {
		case reflect.Float64:
			f.SetFloat([]float64{0.1, -3, math.NaN()}[i%3])
		case reflect.String:
			f.SetString([]string{"ok", text}[i%2])
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int32, reflect.Int64:
			f.SetInt(int64(-i))
		case reflect.Uint64:
			f.SetUint(math.MaxUint64)
		case reflect.Pointer:
			f.Set(map[bool]reflect.Value{true: reflect.ValueOf(&code), false: reflect.ValueOf(&text)}[f.Type() == reflect.TypeOf(&code)])
		default:
			t.Fatalf("field %d is of kind %v", i, f.Kind())
		}
	}
	noMessage := full
	noMessage.ErrorMessage = &empty
	kinds := []metrics.Request{{}, full, noMessage, done(7, 0, 500, 5)}
	table := metrics.NewTable(spoolFile(t), false)
	const rows = 5000
	for i := range rows {
		r := kinds[i%len(kinds)]
		r.RequestID = fmt.Sprint("r-", i)
		if err := table.Add(&r, nil); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	for got, err := range table.Requests() {
		if err != nil {
			t.Fatal(err)
		}
		want := kinds[i%len(kinds)]
		want.RequestID = fmt.Sprint("r-", i)
		if diff := cmp.Diff(want, *got, sameValues); diff != "" {
			t.Fatalf("row %d (-added +read):\n%s", i, diff)
		}
		i++
	}
	if i != rows || table.Len() != rows {
		t.Errorf("%d rows read of %d, %d counted", i, rows, table.Len())
	}
}

// many is a run with everything in it: answers of several lengths, failures,
// a drain after the limit.
func many(n int) (records []*metrics.Record) {
	for i := range n {
		sent := float64(i) * 10
		o := streamed(at(sent), at(sent+100), at(sent+110+float64(i%7)), at(sent+140))
		for j := range o.Events {
			o.Events[j].Tokens, o.Events[j].ReadLag = 1, time.Duration(i%50)*time.Microsecond
		}
		if i%11 == 3 {
			o.Events[2].Flags = stamp.Bundled
		}
		if i%13 == 5 {
			o = &backend.Outcome{Status: backend.StatusError, Error: fault.New(fault.Server, "broken %d", i)}
		}
		records = append(records, &metrics.Record{Streamed: true, Index: uint64(i), Intended: at(sent), Dispatched: at(sent),
			Ended: at(sent + 151), OutputTokensAsked: 3, OutputTokensCounted: 3, Outcome: o})
	}
	return records
}

// TestATableOnDiskComputesWhatSlicesInMemoryDo: the statistics do not depend on
// where the requests lie, nor on the order in which they ended.
func TestATableOnDiskComputesWhatSlicesInMemoryDo(t *testing.T) {
	records := many(3000)
	run := metrics.Run{Start: at(0), End: at(31000), Limit: at(30000), Warmup: metrics.Cut{Ratio: 0.1}, Cooldown: metrics.Cut{Requests: 50}}
	table := metrics.NewTable(spoolFile(t), run.Cuts())
	var slice []metrics.Request
	events := metrics.NewEventStats()
	for i := range records {
		rec := records[(i*1009)%len(records)] // in no order
		r := metrics.Derive(backend.TextToText, rec)
		if err := table.Add(&r, rec.Outcome.Events); err != nil {
			t.Fatal(err)
		}
		slice = append(slice, r)
		if r.OK() && r.Index >= 300 && r.Index < 2950 { // neither warm-up nor cool-down
			events.Add(rec.Outcome)
		}
	}
	got, err := table.Aggregate(run)
	if err != nil {
		t.Fatal(err)
	}
	want := metrics.Compute(run, slice, events)
	approximately := cmp.Comparer(func(x, y metrics.Value) bool {
		return !x.Exists() && !y.Exists() || math.Abs(float64(x-y)) <= 1e-12*math.Abs(float64(x))
	})
	if diff := cmp.Diff(want, got, approximately, cmpopts.EquateApprox(1e-12, 0), cmpopts.IgnoreFields(metrics.Aggregate{}, "ErrorExamples")); diff != "" {
		t.Errorf("(-memory +disk):\n%s", diff)
	}
	if !got.AddedStats.ITL.P50.Exists() || got.AddedStats.ITL.Sum != want.AddedStats.ITL.Sum {
		t.Errorf("itl %+v", got.AddedStats.ITL)
	}
	phases := map[metrics.Phase]int{}
	for r, err := range table.Requests() {
		if err != nil {
			t.Fatal(err)
		}
		phases[r.Phase]++
	}
	if phases[metrics.PhaseWarmup] != 300 || phases[metrics.PhaseCooldown] != 50 {
		t.Errorf("phases %v", phases)
	}
}

type brokenSpool struct{ metrics.Spool }

func (brokenSpool) WriteAt([]byte, int64) (int, error) { return 0, errors.New("no space left") }

func TestASpoolThatCannotBeWrittenIsAnError(t *testing.T) {
	table := metrics.NewTable(brokenSpool{metrics.NewMemory()}, false)
	var err error
	for range 5000 {
		if err = table.Add(&metrics.Request{}, nil); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("nothing was said while adding")
	}
	if _, err := table.Aggregate(metrics.Run{}); err == nil {
		t.Error("nothing was said while computing")
	}
}

func BenchmarkTableAdd(b *testing.B) {
	table := metrics.NewTable(spoolFile(b), false)
	rec := many(1)[0]
	r := metrics.Derive(backend.TextToText, rec)
	b.ReportAllocs()
	for b.Loop() {
		if err := table.Add(&r, rec.Outcome.Events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAggregate100k(b *testing.B) {
	table := metrics.NewTable(spoolFile(b), false)
	for i, rec := range many(1000) {
		r := metrics.Derive(backend.TextToText, rec)
		for k := range 100 {
			r.Index = uint64(i + 1000*k)
			if err := table.Add(&r, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Aggregate(metrics.Run{Start: at(0), End: at(31000)}); err != nil {
			b.Fatal(err)
		}
	}
}
