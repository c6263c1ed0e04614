package simulator

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// exchange is one request and its answer.
type exchange struct {
	server   *Server
	request  *http.Request
	body     []byte
	tooLarge bool
	wire     wire
	record   *Record
	gone     <-chan struct{} // closed when the client went away
	fault    Fault
	settled  int // events whose last byte was sent

	// Of requests in another provider's form:
	protocol   Protocol // nil: OpenAI's
	model      string   // in place of the body's; ""
	credential string   // in place of the usual ones; ""
}

// errGone and errCut end an exchange early; both are expected.
var (
	errGone = errors.New("simulator: the client went away")
	errCut  = errors.New("simulator: broken off as asked")
)

// serve answers the request and says how that ended.
func (x *exchange) serve() End {
	err := x.route()
	x.record.Events = x.record.Events[:x.settled] // the others' bytes never left
	for _, e := range x.record.Events {
		x.record.OutputTokens += e.Tokens
	}
	switch {
	case err == nil:
		return EndComplete
	case errors.Is(err, errCut):
		return EndCut
	}
	return EndClientGone
}

func (x *exchange) route() error {
	r := x.request
	path := strings.TrimSuffix(r.URL.Path, "/")
	if control, ok := strings.CutPrefix(path, "/simulator/"); ok {
		return x.control(control)
	}
	x.identify(path)
	for _, p := range x.server.config.Protocols {
		if p.Match(r) {
			x.protocol = p
			return x.serveProtocol()
		}
	}
	h, ok := x.handler(path)
	if !ok {
		return x.send(404, "application/json", []byte(`{"detail":"Not Found"}`))
	}
	if r.Method != h.method && !(h.method == http.MethodGet && r.Method == http.MethodHead) {
		return x.send(405, "application/json", []byte(`{"detail":"Method Not Allowed"}`))
	}
	if path != "/health" && !x.authorized() {
		return x.fail(401, "invalid_api_key", "invalid_request_error", "", "Incorrect API key provided.")
	}
	if x.tooLarge {
		return x.failTooLarge()
	}
	if err := x.chooseFault(h.method == http.MethodPost); err != nil {
		return x.fail(400, "", "BadRequestError", "simulate", err.Error())
	}
	if done, err := x.instead(); done {
		return err
	}
	return h.serve()
}

type handler struct {
	method string
	serve  func() error
}

// handler is who answers a path of OpenAI's.
func (x *exchange) handler(path string) (handler, bool) {
	handlers := map[string]handler{
		"/health":                {http.MethodGet, func() error { return x.send(200, "text/plain", nil) }},
		"/v1/models":             {http.MethodGet, x.models},
		"/v1/chat/completions":   {http.MethodPost, x.chat},
		"/v1/completions":        {http.MethodPost, x.completion},
		"/v1/embeddings":         {http.MethodPost, x.embeddings},
		"/v1/rerank":             {http.MethodPost, x.rerank},
		"/rerank":                {http.MethodPost, x.rerank},
		"/v1/images/generations": {http.MethodPost, x.images},
		"/v1/audio/speech":       {http.MethodPost, x.speech},
	}
	h, ok := handlers[path]
	return h, ok
}

func (x *exchange) failTooLarge() error {
	return x.fail(413, "", "BadRequestError", "", fmt.Sprintf("The request's body has more than %d bytes.", x.server.config.MaxBodyBytes))
}

// identify notes what is known of a request before it is read.
func (x *exchange) identify(path string) {
	r, record := x.request, x.record
	record.ID = r.Header.Get("X-Request-Id")
	if record.ID == "" || len(record.ID) > 256 {
		record.ID = "simulator-" + strconv.FormatUint(record.Arrival, 10)
	}
	record.Protocol, record.Method, record.Path, record.Remote = r.Proto, r.Method, path, r.RemoteAddr
	record.RequestBytes = int64(len(x.body))
	if x.server.config.KeepBodies {
		record.Header = r.Header.Clone()
		for _, name := range []string{"Authorization", "Api-Key", "X-Api-Key", "X-Amz-Security-Token", "X-Goog-Api-Key"} {
			record.Header.Del(name)
		}
		record.Body = x.body
	}
}

func (x *exchange) credentials() string {
	if x.credential != "" {
		return x.credential
	}
	if bearer, ok := strings.CutPrefix(x.request.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	return x.request.Header.Get("Api-Key")
}

func (x *exchange) authorized() bool {
	key := x.server.config.APIKey
	return key.IsZero() || subtle.ConstantTimeCompare([]byte(x.credentials()), []byte(key.Reveal())) == 1
}

// chooseFault takes the request's own fault or draws one.
func (x *exchange) chooseFault(drawn bool) (err error) {
	text := x.request.Header.Get("X-Simulate")
	if text == "" && len(x.body) > 0 {
		var own struct {
			Simulate string `json:"simulate"`
		}
		// Only a body that has the word is decoded for it; whether it is JSON at
		// all is the endpoint's question.
		if bytes.Contains(x.body, []byte(`"simulate"`)) && json.Unmarshal(x.body, &own) == nil {
			text = own.Simulate
		}
	}
	if text != "" {
		x.fault, err = ParseFault(text)
	} else if drawn {
		u := draw(x.server.config.Seed, x.record.Arrival, 'f')
		for _, f := range x.server.config.Faults {
			if u -= f.Rate; u < 0 {
				x.fault = f.Fault
				break
			}
		}
	}
	x.record.Fault = x.fault.String()
	return err
}

// instead does what comes before any answer, or in its place.
func (x *exchange) instead() (done bool, err error) {
	f := &x.fault
	if f.Delay > 0 && !x.pause(f.Delay) {
		return true, errGone
	}
	if f.Stall == "before-head" && !x.pause(f.StallFor) {
		return true, errGone
	}
	switch f.Disconnect {
	case "mid-head":
		if err := x.wire.beginHalf(200, x.header("text/event-stream; charset=utf-8")); err != nil {
			return true, err
		}
		fallthrough
	case "before-head":
		x.wire.cut(f.Reset)
		return true, errCut
	}
	if f.Error != 0 {
		return true, x.errorAnswer()
	}
	if f.Redirect != 0 {
		return true, x.send(f.Redirect, "text/plain", nil, headerField{"location", x.request.URL.Path + "?redirected=1"})
	}
	switch f.Body {
	case "empty":
		return true, x.send(200, "application/json", nil)
	case "html":
		return true, x.send(200, "text/html", []byte("<html><body><h1>It works!</h1></body></html>"))
	case "garbage":
		return true, x.send(200, "application/json", []byte("\x00\xff\xfe{{{ this is no JSON"))
	case "truncated-json":
		return true, x.send(200, "application/json", []byte(`{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"mess`))
	}
	return false, nil
}

func (x *exchange) header(contentType string, more ...headerField) []headerField {
	return append([]headerField{{"content-type", contentType}, {"x-request-id", x.record.ID}}, more...)
}

// pause waits, with 0 for as long as it takes the client to give up. It is false
// where the client went away or the server closes.
func (x *exchange) pause(d time.Duration) bool {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
		return true
	case <-x.gone:
	case <-x.server.closed:
	}
	return false
}

// event notes an event whose last byte went with a write.
func (x *exchange) event(kinds Kinds, offset int64, bytes, write int) {
	x.record.Events = append(x.record.Events, Event{Kinds: kinds, Choice: -1, Offset: offset, Bytes: bytes, Write: write})
	x.settled = len(x.record.Events)
}

func (x *exchange) lastWrite() int { return len(x.record.Writes) - 1 }

// send answers with a body that is known in whole.
func (x *exchange) send(status int, contentType string, body []byte, more ...headerField) error {
	return x.sendKinds(status, contentType, body, Body, more...)
}

func (x *exchange) sendKinds(status int, contentType string, body []byte, kinds Kinds, more ...headerField) error {
	f := &x.fault
	if err := x.wire.begin(status, x.header(contentType, more...), f.Framing, int64(len(body))); err != nil {
		return err
	}
	x.event(Head, 0, 0, x.lastWrite())
	if len(body) == 0 {
		x.record.Events[0].Kinds |= LastByte
		return nil
	}
	if status == 200 && (f.Stall == "mid-body" || f.Disconnect == "mid-body") {
		half := body[:len(body)/2]
		if _, err := x.wire.piece(half); err != nil {
			return err
		}
		if f.Disconnect == "mid-body" {
			x.wire.cut(f.Reset)
			return errCut
		}
		if !x.pause(f.StallFor) {
			return errGone
		}
		body = body[len(half):]
	}
	write, err := x.wire.piece(body)
	if err != nil {
		return err
	}
	x.event(kinds|LastByte, 0, int(x.record.ResponseBytes), write)
	return x.wire.end()
}

// reply sends an answer that a protocol has made.
func (x *exchange) reply(r Reply, kinds Kinds, more ...headerField) error {
	x.record.ErrorCode = r.Code
	err := x.sendKinds(orInt(r.Status, 200), orString(r.ContentType, "application/json"), r.Body, kinds, append(headerFields(r.Header), more...)...)
	x.record.UsageSent = x.record.UsageSent || r.Usage && err == nil
	return err
}

// replyHeader is the header of an answer that a protocol has made.
func (x *exchange) replyHeader(r Reply) []headerField {
	return x.header(orString(r.ContentType, "application/json"), headerFields(r.Header)...)
}

func headerFields(h http.Header) []headerField {
	var fields []headerField
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fields = append(fields, headerField{strings.ToLower(name), value})
		}
	}
	return fields
}

func (x *exchange) sendJSON(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("simulator: answer: %w", err)
	}
	return x.send(status, "application/json", body)
}

// code is a code as it stands in error objects: digits as a number.
func code(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return text
}

func errorObject(status int, errorCode, kind, param, message string) map[string]any {
	object := map[string]any{"message": message, "type": kind, "param": nil, "code": any(status)}
	if param != "" {
		object["param"] = param
	}
	if errorCode != "" {
		object["code"] = code(errorCode)
	}
	return map[string]any{"error": object}
}

// fail answers with an error, in OpenAI's form or the protocol's own; kind and
// param are OpenAI's.
func (x *exchange) fail(status int, errorCode, kind, param, message string) error {
	if x.protocol != nil {
		return x.reply(x.protocol.Error(Failure{Status: status, Code: errorCode, Message: message}), Body|Error)
	}
	x.record.ErrorCode = orString(errorCode, strconv.Itoa(status))
	return x.sendJSON(status, errorObject(status, errorCode, kind, param, message))
}

// errorAnswer is what Fault.Error asks for.
func (x *exchange) errorAnswer() error {
	f := &x.fault
	message := f.Message
	if message == "" {
		message = "simulated: " + http.StatusText(f.Error)
	}
	if f.EchoKey {
		message += " (key " + x.credentials() + ")"
	}
	var more []headerField
	if f.RetryAfter > 0 {
		more = append(more, headerField{"retry-after", strconv.Itoa(int((f.RetryAfter + time.Second - 1) / time.Second))})
	}
	contentType, body := "application/json", []byte(nil)
	var value any
	switch f.ErrorBody {
	case "string":
		value = map[string]any{"error": message}
	case "detail":
		value = map[string]any{"detail": message}
	case "html":
		contentType, body = "text/html", []byte("<html><body><h1>"+message+"</h1></body></html>")
	case "text":
		contentType, body = "text/plain", []byte(message)
	case "empty":
	default:
		if x.protocol != nil {
			return x.reply(x.protocol.Error(Failure{Status: f.Error, Code: f.Code, Message: message}), Body|Error, more...)
		}
		x.record.ErrorCode = orString(f.Code, strconv.Itoa(f.Error))
		kind := strings.TrimSuffix(strings.ReplaceAll(http.StatusText(f.Error), " ", ""), "Error") + "Error"
		value = errorObject(f.Error, f.Code, kind, "", message)
	}
	if value != nil {
		var err error
		if body, err = json.Marshal(value); err != nil {
			return fmt.Errorf("simulator: error answer: %w", err)
		}
	}
	return x.sendKinds(f.Error, contentType, body, Body|Error, more...)
}

// control answers questions about the simulator itself; these requests leave no
// record.
func (x *exchange) control(path string) error {
	switch path {
	case "requests":
		since, err := strconv.ParseUint(orString(x.request.URL.Query().Get("since"), "0"), 10, 64)
		if err != nil {
			return x.fail(400, "", "BadRequestError", "since", "since is no number (give the index after the last one that you have)")
		}
		records := x.server.Records(since)
		if id := x.request.URL.Query().Get("id"); id != "" {
			records = slices.DeleteFunc(x.server.Truth(id), func(r *Record) bool { return r.Index < since })
		}
		lines, err := encodeRecords(records)
		if err != nil {
			return err
		}
		return x.send(200, "application/jsonl", lines)
	case "config":
		return x.sendJSON(200, x.server.config)
	case "stats":
		return x.sendJSON(200, x.server.Stats())
	case "now":
		return x.sendJSON(200, map[string]stamp.Nanos{"monotonic_ns": stamp.Now()})
	}
	return x.send(404, "application/json", []byte(`{"detail":"Not Found"}`))
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func orString(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (x *exchange) models() error {
	type model struct {
		ID          string `json:"id"`
		Object      string `json:"object"`
		Created     int64  `json:"created"`
		OwnedBy     string `json:"owned_by"`
		Root        string `json:"root"`
		MaxModelLen *int   `json:"max_model_len"`
	}
	list := []model{}
	for _, id := range x.server.config.Models {
		m := model{ID: id, Object: "model", Created: x.server.started.Unix(), OwnedBy: "simulator", Root: id}
		if n := x.server.config.MaxModelLen; n > 0 {
			m.MaxModelLen = &n
		}
		list = append(list, m)
	}
	return x.sendJSON(200, map[string]any{"object": "list", "data": list})
}

// knows tells whether a model is served; where not, the answer has been sent.
func (x *exchange) knows(model string) (bool, error) {
	model = orString(x.model, model)
	x.record.Model = model
	models := x.server.config.Models
	if model == "" && len(models) > 0 {
		x.record.Model = models[0] // as vLLM, which serves its one model to whoever names none
		return true, nil
	}
	if len(models) == 0 || slices.Contains(models, model) {
		return true, nil
	}
	return false, x.fail(404, "", "NotFoundError", "model",
		fmt.Sprintf("The model `%s` does not exist. Valid aliases: %s.", model, strings.Join(models, ", ")))
}

// decode reads the body; where it cannot, the answer has been sent.
func (x *exchange) decode(into any) (bool, error) {
	err := json.Unmarshal(x.body, into)
	if err == nil {
		return true, nil
	}
	param := "body"
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		param = "body." + wrong.Field
	}
	return false, x.fail(400, "", "Bad Request", param, "1 validation error: "+err.Error())
}
