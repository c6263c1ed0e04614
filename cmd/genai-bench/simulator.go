package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/tokenizer"
	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func (a *app) simulatorCommand() *cobra.Command {
	o := &simulatorOptions{config: simulator.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "a server that behaves like a continuous-batching engine and knows when each byte left",
		Long: `Serve OpenAI's protocol as a continuous-batching engine would: prefill takes
time with the prompt, a step with the batch, and requests queue when the KV cache
is full. Seeded, so that the same requests get the same answers.

GET /simulator/requests gives the truth about each request: when its bytes left.
A request may ask for a fault with the header X-Simulate, in the words of --fault.

Faults:
` + faultHelp(),
		Example: `  genai-bench simulator --listen 127.0.0.1:8000 --step-time 20ms
  genai-bench simulator --fault '0.2:error=429; retry-after=2s' --fault '0.01:disconnect=mid-body'`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{"sift": "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.problems.Err(); err != nil {
				return err
			}
			return a.simulate(cmd.Context(), o, cmd.Flags())
		},
	}
	o.declare(cmd.Flags())
	return cmd
}

type simulatorOptions struct {
	config     simulator.Config
	listen     string
	tokenizer  string
	configFile string
	apiKey     string
	faults     []string
	quiet      bool
	// addressFile is where the address is written when the server listens.
	addressFile string
	// lease: standard input is held open by whoever started this; its end is this
	// program's.
	lease bool
}

func (o *simulatorOptions) declare(fs *pflag.FlagSet) {
	c := &o.config
	fs.SortFlags = false
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8000", "address to serve on; port 0 is any free one")
	fs.StringVar(&o.configFile, "config", "", "JSON file with any field of the configuration; flags go over it")
	fs.StringArrayVar(&c.Models, "model", c.Models, "model served, repeatable")
	fs.StringVar(&o.apiKey, "api-key", "", "key that requests must bring; none is asked for by default")
	fs.StringVar(&o.tokenizer, "model-tokenizer", "", "tokenizer that counts prompts: a folder or a tokenizer.json; default is a small built-in one")
	fs.Uint64Var(&c.Seed, "seed", c.Seed, "of all draws")
	fs.DurationVar(&c.StepTime, "step-time", c.StepTime, "time of an engine step: between two tokens of one stream")
	fs.DurationVar(&c.StepTimePerSequence, "step-time-per-sequence", c.StepTimePerSequence, "what each sequence of the batch adds to a step")
	fs.DurationVar(&c.PrefillTime, "prefill-time", c.PrefillTime, "what each prompt adds to the step of its prefill")
	fs.Float64Var(&c.PrefillTokensPerSecond, "prefill-tokens-per-second", c.PrefillTokensPerSecond, "speed of prefill; 0 is infinite")
	fs.Float64Var(&c.JitterRatio, "jitter", c.JitterRatio, "standard deviation of a step's time as a part of it")
	fs.IntVar(&c.MaxBatch, "max-batch", c.MaxBatch, "sequences that run at once")
	fs.IntVar(&c.MaxBatchedTokens, "max-batched-tokens", c.MaxBatchedTokens, "tokens that one step processes")
	fs.IntVar(&c.KVTokens, "kv-tokens", c.KVTokens, "room of the KV cache; what does not fit waits")
	fs.IntVar(&c.PrefixCacheTokens, "prefix-cache-tokens", c.PrefixCacheTokens, "room of the cache of prompts' beginnings, which need no prefill again; 0 is none")
	fs.IntVar(&c.MaxModelLen, "max-model-len", c.MaxModelLen, "longest prompt and answer together")
	fs.BoolVar(&c.SpreadTokens, "spread-tokens", c.SpreadTokens, "let the tokens of a step leave spread over the next one")
	fs.Float64Var(&c.EOSProbability, "eos-probability", c.EOSProbability, "chance that an answer ends after a token, where the request does not forbid it")
	fs.StringArrayVar(&o.faults, "fault", nil, "RATE:FAULT, repeatable: a share of the requests gets a fault")
	fs.StringVar(&o.addressFile, "address-file", "", "file that gets the address once the server listens, for scripts")
	fs.BoolVar(&o.lease, "end-with-stdin", false, "end when standard input does")
	_ = fs.MarkHidden("end-with-stdin") // it exists: it was declared in the line before
	fs.BoolVar(&o.quiet, "quiet", false, "print nothing but the address")
}

func faultHelp() string {
	var b strings.Builder
	for _, k := range simulator.FaultKeys() {
		fmt.Fprintf(&b, "  %-16s %s\n", k.Name, k.Help)
	}
	return strings.TrimRight(b.String(), "\n")
}

// finish makes the configuration out of file, flags and tokenizer.
func (o *simulatorOptions) finish(flags map[string]string) error {
	if o.configFile != "" {
		data, err := os.ReadFile(o.configFile)
		if err != nil {
			return withCode(exitUsage, "--config %s: %w", o.configFile, fileReason(err))
		}
		if err := o.overlay(data, flags); err != nil {
			return err
		}
	}
	for _, text := range o.faults {
		rate, spec, ok := strings.Cut(text, ":")
		share, err := strconv.ParseFloat(strings.TrimSpace(rate), 64)
		if !ok || err != nil {
			return withCode(exitUsage, "--fault %q: must be written RATE:FAULT, as '0.1:error=500'", text)
		}
		fault, err := simulator.ParseFault(spec)
		if err != nil {
			return withCode(exitUsage, "--fault %q: %w", text, err)
		}
		o.config.Faults = append(o.config.Faults, simulator.FaultRate{Rate: share, Fault: fault})
	}
	o.config.APIKey = secret.New(o.apiKey)
	if err := o.count(); err != nil {
		return err
	}
	if err := o.config.Validate(); err != nil {
		return withCode(exitUsage, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

// overlay reads the file under the flags that were typed.
func (o *simulatorOptions) overlay(data []byte, typed map[string]string) error {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o.config); err != nil {
		return withCode(exitUsage, "--config %s: %w", o.configFile, err)
	}
	again := pflag.NewFlagSet("again", pflag.ContinueOnError)
	over := &simulatorOptions{config: o.config}
	over.declare(again)
	for name, value := range typed {
		if name == "model" || name == "fault" {
			continue // lists that were typed stand in o already
		}
		if err := again.Set(name, value); err != nil {
			return withCode(exitUsage, "--%s: %w", name, err)
		}
	}
	models, faults := o.config.Models, o.config.Faults
	o.config = over.config
	o.config.Models, o.config.Faults = models, faults
	return nil
}

// count gives the simulator a tokenizer and words that are one token each in
// it, so that what it reports is what a client counts.
func (o *simulatorOptions) count() error {
	var t *tokenizer.Tokenizer
	var err error
	if o.tokenizer == "" {
		t, err = demo.Load()
	} else {
		t, err = tokenizer.Load(o.tokenizer)
	}
	if err != nil {
		return withCode(exitUsage, "--model-tokenizer: %w", err)
	}
	o.config.CountTokens = t.Count
	o.config.TokenIDs = func(text string) []uint32 { return t.AppendEncode(nil, text) }
	var words []string
	for id := range uint32(t.VocabSize()) {
		word := t.Decode([]uint32{id}, false)
		if len(word) > 2 && len(word) < 12 && word[0] == ' ' && strings.Trim(word[1:], "abcdefghijklmnopqrstuvwxyz") == "" && t.Count(word) == 1 {
			words = append(words, word)
		}
		if len(words) == 512 {
			break
		}
	}
	if len(words) > 0 {
		o.config.Words = words
	}
	return nil
}

func (a *app) simulate(ctx context.Context, o *simulatorOptions, flags *pflag.FlagSet) error {
	typed := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { typed[f.Name] = f.Value.String() })
	if err := o.finish(typed); err != nil {
		return err
	}
	server, err := simulator.New(o.config)
	if err != nil {
		return err
	}
	if err := server.Listen(o.listen); err != nil {
		return fmt.Errorf("--listen %s: %w", o.listen, err)
	}
	defer func() {
		// Connections that are cut by the end are no news.
		_ = server.Close()
	}()
	fmt.Fprintf(a.stdout, "simulator listening on %s\n", server.URL())
	if o.addressFile != "" {
		if err := os.WriteFile(o.addressFile, []byte(server.URL()+"\n"), 0o644); err != nil {
			return fmt.Errorf("--address-file %s: %w", o.addressFile, fileReason(err))
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.lease {
		var lost context.CancelFunc
		ctx, lost = context.WithCancel(ctx)
		go func() {
			_, _ = io.Copy(io.Discard, a.stdin) // any end of it is the end
			lost()
		}()
	}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if !o.quiet {
				fmt.Fprintf(a.stderr, "%+v\n", server.Stats())
			}
		}
	}
}
