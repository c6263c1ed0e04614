package bench

import "github.com/genai-bench/genai-bench/core/prompt"

// maker is what makes the requests of a run, and the texts that they share.
func (x *experimenter) maker(config prompt.Config) (prompt.Maker, []string, error) {
	if t := x.plan.Trace; t != nil {
		replay, err := prompt.NewReplay(x.corpus, config, t)
		return replay, nil, err
	}
	if x.conversations != nil {
		said, err := prompt.NewTalks(x.corpus, config, x.conversations)
		return said, nil, err
	}
	source, err := prompt.NewSource(x.corpus, config)
	if err != nil {
		return nil, nil, err
	}
	return source, source.Shared(), nil
}

// requestsMax is how many requests a run has at most; 0 is not limited.
func (p *Plan) requestsMax() uint64 {
	if p.Trace != nil {
		return uint64(len(p.Trace.Requests))
	}
	return uint64(p.Settings.MaxRequestsPerRun)
}
