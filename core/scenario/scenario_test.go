package scenario_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

func TestParseAndPrint(t *testing.T) {
	for text, want := range map[string]struct {
		kind     scenario.Kind
		printed  string // "" is as typed
		fileName string
	}{
		"D(100,100)":           {kind: scenario.Constant, fileName: "D100_100"},
		"D(01,2)":              {kind: scenario.Constant, printed: "D(1,2)", fileName: "D1_2"},
		"D(100,1)":             {kind: scenario.Constant, fileName: "D100_1"},
		"N(480,240)/(300,150)": {kind: scenario.Normal, fileName: "N480_240_300_150"},
		"N(480,0)/(300,0)":     {kind: scenario.Normal, fileName: "N480_0_300_0"},
		"U(50,100)/(200,250)":  {kind: scenario.Uniform, fileName: "U50_100_200_250"},
		"U(1,1)/(1,1)":         {kind: scenario.Uniform, fileName: "U1_1_1_1"},
		"U(100,200)":           {kind: scenario.Uniform, fileName: "U100_200"},
		"E(1024)":              {kind: scenario.Embedding, fileName: "E1024"},
		"R(1024,128)":          {kind: scenario.Rerank, fileName: "R1024_128"},
		"I(512,256)":           {kind: scenario.Image, fileName: "I512_256"},
		"I(512,256,1)":         {kind: scenario.Image, printed: "I(512,256)", fileName: "I512_256"},
		"I(2048,2048,2)":       {kind: scenario.Image, fileName: "I2048_2048_2"},
		"A(100)":               {kind: scenario.Speech, fileName: "A100"},
		"P(1000,200)/50":       {kind: scenario.Constant, fileName: "P1000_200_50"},
		"dataset":              {kind: scenario.Rows, fileName: "dataset"},
	} {
		t.Run(text, func(t *testing.T) {
			s, err := scenario.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if want.printed == "" {
				want.printed = text
			}
			if s.Kind() != want.kind || s.String() != want.printed || s.FileName() != want.fileName {
				t.Errorf("got %s %s %s, want %s %s %s", s.Kind(), s, s.FileName(), want.kind, want.printed, want.fileName)
			}
			if again, err := scenario.Parse(s.String()); err != nil || again != s {
				t.Errorf("%s reads back as %v, %v", s, again, err)
			}
		})
	}
}

func TestBadScenarios(t *testing.T) {
	for text, want := range map[string]struct{ reason, suggestion string }{
		"":                            {reason: "is empty; write one of D(input,output), N("},
		"F(10,20)":                    {reason: `unknown type "F"; write one of D(input,output), N(`},
		"V(1,2)":                      {reason: `unknown type "V"`},
		"(1,2)":                       {reason: `unknown type ""`},
		"d(1,1)":                      {reason: `unknown type "d"`, suggestion: "D(1,1)"},
		"DD(1,1)":                     {reason: `unknown type "DD"`},
		"Dataset":                     {reason: `unknown type "Dataset"`, suggestion: "dataset"},
		"dataset(1)":                  {reason: "write dataset", suggestion: "dataset"},
		"dataset/":                    {reason: "a number is missing; write dataset", suggestion: "dataset"},
		"N(1,2)":                      {reason: "write N(mean,stddev)/(mean,stddev)"},
		"N(10,20),(30,40)":            {reason: "N(mean,stddev)/(mean,stddev)", suggestion: "N(10,20)/(30,40)"},
		"N(10,20)(30,40)":             {reason: "N(mean,stddev)/(mean,stddev)", suggestion: "N(10,20)/(30,40)"},
		"U(-5,15)/(-10,25)":           {reason: `"-5" is not a whole number in the digits 0 to 9; write U(min,max)/(min,max) or U(max_input,max_output)`},
		"U(5,3)/(1,2)":                {reason: "the smallest input, 5, is more than the largest, 3"},
		"U(10,5)/(9,2)":               {reason: "the smallest input, 10, is more than the largest, 5"},
		"U(0,5)/(1,2)":                {reason: "the smallest input is 0 and must be from 1"},
		"U(0,5)":                      {reason: "the largest input is 0"},
		"I(1024, 1024)":               {reason: "spaces are not allowed", suggestion: "I(1024,1024)"},
		"I(1024x1024)":                {reason: `"1024x1024" is not a whole number`, suggestion: "I(1024,1024)"},
		"I(0,0)":                      {reason: "the width is 0 and must be from 1 to 65535"},
		"I(1,2,0)":                    {reason: "the number of images is 0"},
		"I(70000,1)":                  {reason: "the width is 70000"},
		"I(1,2,3,4)":                  {reason: "write I(width,height) or I(width,height,images)"},
		"R(1024, 128)":                {reason: "spaces are not allowed", suggestion: "R(1024,128)"},
		"E1024":                       {reason: "write E(tokens)", suggestion: "E(1024)"},
		"E(0)":                        {reason: "the size is 0"},
		"A(10,)":                      {reason: "a number is missing; write A(characters)"},
		"D(0,0)":                      {reason: "the input is 0"},
		"D(100,0)":                    {reason: "the output is 0"},
		"D(100)":                      {reason: "write D(input,output)"},
		"D100/100":                    {reason: "write D(input,output)", suggestion: "D(100,100)"},
		"D(100,100":                   {reason: "a bracket is missing", suggestion: "D(100,100)"},
		"D(1,2)\n":                    {reason: "spaces are not allowed", suggestion: "D(1,2)"},
		"D(１,2)":                      {reason: `"１" is not a whole number in the digits 0 to 9`, suggestion: "D(1,2)"},
		"D(99999999999,1)":            {reason: "99999999999 is more than 10000000"},
		"D(9999999999999999999999,1)": {reason: "is more than 10000000"},
		"P(0,10)/5":                   {reason: "a prefix of 0 is none; write D(10,5)"},
		"P(10,0)/5":                   {reason: "the suffix is 0"},
		"P(10,5)":                     {reason: "write P(prefix,suffix)/output"},
		"D(1,2)/(3,4)":                {reason: "write D(input,output)"},
		"D((1,2))":                    {reason: `"(1" is not a whole number`, suggestion: "D(1,2)"},
	} {
		t.Run(text, func(t *testing.T) {
			s, err := scenario.Parse(text)
			var bad *scenario.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, %v, want an *Error", s, err)
			}
			if !strings.Contains(bad.Reason, want.reason) {
				t.Errorf("reason %q, want it to hold %q", bad.Reason, want.reason)
			}
			if bad.Suggestion != want.suggestion {
				t.Errorf("suggestion %q, want %q", bad.Suggestion, want.suggestion)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
		})
	}
}

func TestParseAllGivesEveryError(t *testing.T) {
	_, err := scenario.ParseAll([]string{"D(1,1)", "X(1)", "D(01,1)", "E"})
	for _, want := range []string{`"X(1)"`, `"D(01,1)": is given twice`, `"E"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to hold %q", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"D(1,2)", "N(480,240)/(300,150)", "U(1,2)/(3,4)", "I(1,2,3)", "P(1,2)/3", "dataset", "D((", "N(1,2),(3,4)", "D１"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse(text)
		if err != nil {
			var bad *scenario.Error
			if !errors.As(err, &bad) {
				t.Fatalf("%q: error of another type: %v", text, err)
			}
			if bad.Suggestion != "" {
				if _, err := scenario.Parse(bad.Suggestion); err != nil {
					t.Fatalf("%q: the suggestion is bad: %v", text, err)
				}
			}
			return
		}
		if again, err := scenario.Parse(s.String()); err != nil || again != s {
			t.Fatalf("%q prints as %s, which reads as %v, %v", text, s, again, err)
		}
		if strings.ContainsAny(s.FileName(), `/\(), .`) {
			t.Fatalf("%q: file name %q", text, s.FileName())
		}
		sampler, err := s.Sampler(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if size := sampler.At(3); size != sampler.At(3) || size == (scenario.Size{}) {
			t.Fatalf("%q: size %+v", text, size)
		}
	})
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]scenario.Size{
		"D(7,8)":       {InputTokens: 7, OutputTokens: 8},
		"P(5,2)/8":     {InputTokens: 7, OutputTokens: 8},
		"E(64)":        {InputTokens: 64},
		"R(64,10)":     {InputTokens: 64, QueryTokens: 10},
		"A(17)":        {Characters: 17},
		"I(4,5)":       {Width: 4, Height: 5, Images: 1},
		"I(4,5,6)":     {Width: 4, Height: 5, Images: 6},
		"dataset":      {Row: true},
		"N(7,0)/(8,0)": {InputTokens: 7, OutputTokens: 8},
		"U(7,7)/(8,8)": {InputTokens: 7, OutputTokens: 8},
	} {
		for i := range uint64(3) {
			if diff := cmp.Diff(want, sampler(t, text, 1, 0).At(i)); diff != "" {
				t.Errorf("%s, request %d (-want +got):\n%s", text, i, diff)
			}
		}
	}
}

func sampler(t *testing.T, text string, seed uint64, lowest int) scenario.Sampler {
	t.Helper()
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Sampler(seed, lowest)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUniformReachesBothEnds(t *testing.T) {
	p := sampler(t, "U(1,3)/(4,6)", 1, 0)
	var inputs, outputs [7]int
	const n = 30_000
	for i := range uint64(n) {
		size := p.At(i)
		inputs[size.InputTokens]++
		outputs[size.OutputTokens]++
	}
	for v := 1; v <= 3; v++ {
		// 6 standard deviations of a binomial with p = 1/3.
		if off := math.Abs(float64(inputs[v]) - n/3); off > 6*math.Sqrt(n*2/9.) {
			t.Errorf("input %d drawn %d times of %d", v, inputs[v], n)
		}
		if off := math.Abs(float64(outputs[v+3]) - n/3); off > 6*math.Sqrt(n*2/9.) {
			t.Errorf("output %d drawn %d times of %d", v+3, outputs[v+3], n)
		}
	}
	onePair := sampler(t, "U(3,2)", 1, 0)
	for i := range uint64(1000) {
		if s := onePair.At(i); s.InputTokens < 1 || s.InputTokens > 3 || s.OutputTokens < 1 || s.OutputTokens > 2 {
			t.Fatalf("U(3,2): request %d is %+v", i, s)
		}
	}
}

// The mean of a normal truncated below at a is mu + sd·phi(z)/(1−Phi(z)),
// z = (a−mu)/sd; rounding puts a at 0.5.
func TestNormalIsTruncatedNotPiledUp(t *testing.T) {
	p := sampler(t, "N(480,240)/(300,150)", 3, 0)
	const n = 50_000
	var ins, outs, insBelow5 float64
	for i := range uint64(n) {
		s := p.At(i)
		if s.InputTokens < 1 || s.OutputTokens < 1 {
			t.Fatalf("request %d: %+v", i, s)
		}
		ins += float64(s.InputTokens)
		outs += float64(s.OutputTokens)
		if s.InputTokens < 5 {
			insBelow5++
		}
	}
	truncated := func(mu, sd float64) float64 {
		z := (0.5 - mu) / sd
		phi := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		return mu + sd*phi/(0.5*math.Erfc(z/math.Sqrt2))
	}
	if got, want := ins/n, truncated(480, 240); math.Abs(got-want) > 5 {
		t.Errorf("mean input %.1f, want %.1f", got, want)
	}
	if got, want := outs/n, truncated(300, 150); math.Abs(got-want) > 3 {
		t.Errorf("mean output %.1f, want %.1f", got, want)
	}
	if share := insBelow5 / n; share > 0.002 {
		t.Errorf("%.2f%% of inputs are below 5: a pile at the bound", 100*share)
	}
}

func TestSizesArePureFunctions(t *testing.T) {
	p, q := sampler(t, "N(480,240)/(300,150)", 5, 0), sampler(t, "N(480,240)/(300,150)", 5, 0)
	other := sampler(t, "N(480,240)/(300,150)", 6, 0)
	same := 0
	for i := range uint64(100) {
		if a, b := p.At(99-i), q.At(99-i); a != b || p.At(99-i) != a {
			t.Fatalf("request %d differs between two samplers of one seed", 99-i)
		}
		if p.At(i) == other.At(i) {
			same++
		}
	}
	if same > 3 {
		t.Errorf("%d of 100 sizes are equal between two seeds", same)
	}
	// Part of what --seed promises.
	if got, want := p.At(0), (scenario.Size{InputTokens: 759, OutputTokens: 220}); got != want {
		t.Errorf("request 0 of seed 5 is %+v, want %+v", got, want)
	}
}

func TestLowestInput(t *testing.T) {
	for _, text := range []string{"N(100,20)/(10,2)", "U(50,120)/(1,2)", "D(100,1)"} {
		p := sampler(t, text, 1, 90)
		for i := range uint64(2000) {
			if s := p.At(i); s.InputTokens < 90 {
				t.Fatalf("%s: request %d has %d tokens", text, i, s.InputTokens)
			}
		}
		s, err := scenario.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sampler(1, 161); err == nil {
			t.Errorf("%s: a lowest input of 161 is accepted", text)
		}
	}
}

func TestTasks(t *testing.T) {
	for _, task := range backend.Tasks() {
		defaults := scenario.Defaults(task, false)
		if len(defaults) == 0 {
			t.Errorf("%s has no default scenarios", task)
		}
		for _, s := range append(defaults, scenario.Defaults(task, true)...) {
			if err := s.Fits(task); err != nil {
				t.Error(err)
			}
			if again, err := scenario.Parse(s.String()); err != nil || again != s {
				t.Errorf("default %s of %s reads as %v, %v", s, task, again, err)
			}
		}
	}
	e, err := scenario.Parse("E(64)")
	if err != nil {
		t.Fatal(err)
	}
	const want = "traffic scenario E(64) does not fit task text-to-text, which takes D(input,output), " +
		"N(mean,stddev)/(mean,stddev), U(min,max)/(min,max) or U(max_input,max_output), P(prefix,suffix)/output, dataset"
	if err := e.Fits(backend.TextToText); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := e.Fits("text-to-video"); err == nil {
		t.Error("an unknown task takes E(64)")
	}
}

func TestDefaultScenariosOfTextToText(t *testing.T) {
	var got []string
	for _, s := range scenario.Defaults(backend.TextToText, false) {
		got = append(got, s.String())
	}
	want := []string{"N(480,240)/(300,150)", "D(100,100)", "D(100,1000)", "D(2000,200)", "D(7800,200)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIterationOfTasks(t *testing.T) {
	for task, want := range map[backend.Task]scenario.Iteration{
		backend.TextToText: scenario.NumConcurrency, backend.TextToEmbeddings: scenario.BatchSize,
		backend.TextToRerank: scenario.BatchSize, backend.ImageToEmbedding: scenario.NumConcurrency,
	} {
		if got := scenario.IterationOf(task); got != want {
			t.Errorf("%s: %s, want %s", task, got, want)
		}
	}
}
