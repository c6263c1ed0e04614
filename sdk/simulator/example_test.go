package simulator_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func Example() {
	config := simulator.DefaultConfig()
	config.StepTime = 2 * time.Millisecond
	server, err := simulator.New(config)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if err := server.Listen("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}

	body := `{"model":"simulator","messages":[{"role":"user","content":"Hello!"}],"max_tokens":5,"stream":true}`
	request, err := http.NewRequest(http.MethodPost, server.URL()+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("X-Request-Id", "example")
	// The connection is to break after three tokens.
	request.Header.Set("X-Simulate", "disconnect=mid-body; after=3")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	fmt.Println("client:", err)

	records, err := server.Await(context.Background(), "example")
	if err != nil {
		log.Fatal(err)
	}
	truth := records[0]
	first, _ := truth.First(simulator.Output)
	before, after := truth.Interval(first)
	fmt.Println("server:", truth.End, "after", truth.OutputTokens, "tokens")
	fmt.Println("first token left after its prefill, in an interval:", before >= truth.Prefilled, after >= before)
	// Output:
	// client: unexpected EOF
	// server: cut after 3 tokens
	// first token left after its prefill, in an interval: true true
}
