package convert

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/genai-bench/genai-bench/sdk/backend"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Shared tells which texts and images were sent before as blobs. They are
// looked up by their memory, not by what they say: the caller shares the very
// string that it puts into its requests.
type Shared interface {
	TextID(text string) (id uint64, ok bool)
	ImageID(image []byte) (id uint64, ok bool)
}

// StartMessage makes the message that starts a request. It fails where the
// request could not be sent: a text that is not UTF-8, or more bytes than a
// message may have. shared may be nil.
func StartMessage(r *backend.Request, shared Shared) (*pluginv1.RunRequest, error) {
	s := sender{shared: shared, bytes: len(r.Params)}
	start := &pluginv1.Start{
		Seq: r.Seq, Task: s.text("task", string(r.Task)), RequestId: s.text("request id", r.ID),
		StartAtNs: int64(r.StartAt), TimeoutNs: int64(r.Timeout),
		FixOutputLength: r.FixOutputLength, Model: s.text("model", r.Model), Params: r.Params,
		ConnectionKey: s.text("connection key", r.ConnectionKey), FreshConnection: r.FreshConnection,
		AbortAfterEvents: r.Abort.AfterEvents, AbortAfterNs: int64(r.Abort.After),
		WantEvents: r.Want.Events, WantText: r.Want.Text,
	}
	start.Headers = each(r.Header, func(f backend.HeaderField) *pluginv1.HeaderField {
		return &pluginv1.HeaderField{Name: s.text("header name", f.Name), Value: s.text("header value", f.Value)}
	})
	s.form(start, r)
	if s.invalid != "" {
		return nil, fmt.Errorf("the request's %s is not valid UTF-8 (repair the dataset or its encoding)", s.invalid)
	}
	if s.bytes > limits.MessageBytes-limits.MessageSlack {
		return nil, fmt.Errorf("the request has %d MiB, a message to a plugin holds at most %d (use smaller images or texts)",
			s.bytes>>20, limits.MessageBytes>>20)
	}
	return &pluginv1.RunRequest{Message: &pluginv1.RunRequest_Start{Start: start}}, nil
}

// sender adds up what is sent, and checks it on the way.
type sender struct {
	shared  Shared
	bytes   int
	invalid string // the first field that is not UTF-8
}

func (s *sender) text(field, text string) string {
	s.bytes += len(text)
	if s.invalid == "" && !utf8.ValidString(text) {
		s.invalid = field
	}
	return text
}

func (s *sender) texts(field string, all []string) []string {
	for _, text := range all {
		s.text(field, text)
	}
	return all
}

func (s *sender) form(start *pluginv1.Start, r *backend.Request) {
	switch {
	case r.Chat != nil:
		start.Form = &pluginv1.Start_Chat{Chat: &pluginv1.Chat{
			Messages:  each(r.Chat.Messages, s.message),
			MaxTokens: r.Chat.MaxTokens, Stop: s.texts("stop sequence", r.Chat.Stop), Stream: r.Chat.Stream,
		}}
	case r.Completion != nil:
		s.bytes += 5 * len(r.Completion.TokenIDs)
		start.Form = &pluginv1.Start_Completion{Completion: &pluginv1.Completion{
			Prompt: s.text("prompt", r.Completion.Prompt), TokenIds: r.Completion.TokenIDs,
			MaxTokens: r.Completion.MaxTokens, Stop: s.texts("stop sequence", r.Completion.Stop), Stream: r.Completion.Stream,
		}}
	case r.Embed != nil:
		start.Form = &pluginv1.Start_Embed{Embed: &pluginv1.Embed{
			Inputs:    s.texts("input", r.Embed.Inputs),
			Images:    each(r.Embed.Images, func(i backend.Image) *pluginv1.Image { return s.image(&i) }),
			InputType: s.text("input type", r.Embed.InputType), Dimensions: r.Embed.Dimensions,
		}}
	case r.Rerank != nil:
		start.Form = &pluginv1.Start_Rerank{Rerank: &pluginv1.Rerank{
			Query: s.text("query", r.Rerank.Query), Documents: s.texts("document", r.Rerank.Documents), TopN: r.Rerank.TopN,
		}}
	case r.Image != nil:
		start.Form = &pluginv1.Start_Image{Image: &pluginv1.ImageGeneration{
			Prompt: s.text("prompt", r.Image.Prompt), N: r.Image.N, Width: r.Image.Width, Height: r.Image.Height,
		}}
	case r.Speech != nil:
		start.Form = &pluginv1.Start_Speech{Speech: &pluginv1.Speech{
			Text: s.text("text", r.Speech.Text), Voice: s.text("voice", r.Speech.Voice), Format: s.text("format", r.Speech.Format),
		}}
	}
}

func (s *sender) message(m backend.Message) *pluginv1.Message {
	return &pluginv1.Message{Role: s.text("role", m.Role), Parts: each(m.Parts, s.part)}
}

func (s *sender) part(p backend.Part) *pluginv1.Part {
	if p.Image != nil {
		return &pluginv1.Part{Part: &pluginv1.Part_Image{Image: s.image(p.Image)}}
	}
	if s.shared != nil {
		if id, ok := s.shared.TextID(p.Text); ok {
			return &pluginv1.Part{Part: &pluginv1.Part_TextBlob{TextBlob: id}}
		}
	}
	return &pluginv1.Part{Part: &pluginv1.Part_Text{Text: s.text("message text", p.Text)}}
}

func (s *sender) image(i *backend.Image) *pluginv1.Image {
	image := &pluginv1.Image{Mime: s.text("MIME type", i.MIME)}
	if i.URL != "" {
		image.Source = &pluginv1.Image_Url{Url: s.text("image address", i.URL)}
		return image
	}
	if s.shared != nil {
		if id, ok := s.shared.ImageID(i.Bytes); ok {
			image.Source = &pluginv1.Image_Blob{Blob: id}
			return image
		}
	}
	s.bytes += len(i.Bytes)
	image.Source = &pluginv1.Image_Data{Data: i.Bytes}
	return image
}

// Blobs finds the bytes of a blob by its id.
type Blobs func(id uint64) (data []byte, ok bool)

// RequestFromProto reads a request and puts in the blobs that it refers to. On
// an error the request has at least its Seq. blobs may be nil: there are none.
func RequestFromProto(s *pluginv1.Start, blobs Blobs) (*backend.Request, error) {
	r := &backend.Request{
		Seq: s.GetSeq(), Task: backend.Task(s.GetTask()), ID: s.GetRequestId(),
		StartAt: stamp.Nanos(s.GetStartAtNs()), Timeout: time.Duration(s.GetTimeoutNs()),
		FixOutputLength: s.GetFixOutputLength(), Model: s.GetModel(), Params: s.GetParams(),
		Header:        each(s.GetHeaders(), headerFromProto),
		ConnectionKey: s.GetConnectionKey(), FreshConnection: s.GetFreshConnection(),
		Abort: backend.Abort{AfterEvents: s.GetAbortAfterEvents(), After: time.Duration(s.GetAbortAfterNs())},
		Want:  backend.Want{Events: s.GetWantEvents(), Text: s.GetWantText()},
	}
	f := receiver{blobs: blobs}
	switch form := s.GetForm().(type) {
	case *pluginv1.Start_Chat:
		r.Chat = &backend.Chat{
			Messages:  each(form.Chat.GetMessages(), f.message),
			MaxTokens: form.Chat.GetMaxTokens(), Stop: form.Chat.GetStop(), Stream: form.Chat.GetStream(),
		}
	case *pluginv1.Start_Completion:
		r.Completion = &backend.Completion{
			Prompt: form.Completion.GetPrompt(), TokenIDs: form.Completion.GetTokenIds(),
			MaxTokens: form.Completion.GetMaxTokens(), Stop: form.Completion.GetStop(), Stream: form.Completion.GetStream(),
		}
	case *pluginv1.Start_Embed:
		r.Embed = &backend.Embed{
			Inputs:    form.Embed.GetInputs(),
			Images:    each(form.Embed.GetImages(), func(i *pluginv1.Image) backend.Image { return *f.image(i) }),
			InputType: form.Embed.GetInputType(), Dimensions: form.Embed.GetDimensions(),
		}
	case *pluginv1.Start_Rerank:
		r.Rerank = &backend.Rerank{
			Query: form.Rerank.GetQuery(), Documents: form.Rerank.GetDocuments(), TopN: form.Rerank.GetTopN(),
		}
	case *pluginv1.Start_Image:
		r.Image = &backend.ImageGeneration{
			Prompt: form.Image.GetPrompt(), N: form.Image.GetN(), Width: form.Image.GetWidth(), Height: form.Image.GetHeight(),
		}
	case *pluginv1.Start_Speech:
		r.Speech = &backend.Speech{Text: form.Speech.GetText(), Voice: form.Speech.GetVoice(), Format: form.Speech.GetFormat()}
	default:
		return r, errors.New("the request has no form that this plugin's sdk knows (upgrade the plugin)")
	}
	return r, f.err
}

// receiver resolves blobs and keeps the first error.
type receiver struct {
	blobs Blobs
	err   error
}

func (f *receiver) blob(id uint64) []byte {
	if f.blobs != nil {
		if data, ok := f.blobs(id); ok {
			return data
		}
	}
	if f.err == nil {
		f.err = fmt.Errorf("the request refers to blob %d, which was not sent or was dropped", id)
	}
	return nil
}

func (f *receiver) message(m *pluginv1.Message) backend.Message {
	return backend.Message{Role: m.GetRole(), Parts: each(m.GetParts(), f.part)}
}

func (f *receiver) part(p *pluginv1.Part) backend.Part {
	switch part := p.GetPart().(type) {
	case *pluginv1.Part_Text:
		return backend.Part{Text: part.Text}
	case *pluginv1.Part_TextBlob:
		data := f.blob(part.TextBlob)
		// Blobs are never written to, so that requests can share their memory.
		return backend.Part{Text: unsafe.String(unsafe.SliceData(data), len(data))}
	case *pluginv1.Part_Image:
		return backend.Part{Image: f.image(part.Image)}
	}
	if f.err == nil {
		f.err = errors.New("a message part is neither text nor image (upgrade the plugin)")
	}
	return backend.Part{}
}

func (f *receiver) image(i *pluginv1.Image) *backend.Image {
	image := &backend.Image{MIME: i.GetMime()}
	switch source := i.GetSource().(type) {
	case *pluginv1.Image_Data:
		image.Bytes = source.Data
	case *pluginv1.Image_Blob:
		image.Bytes = f.blob(source.Blob)
	case *pluginv1.Image_Url:
		image.URL = source.Url
	default:
		if f.err == nil {
			f.err = errors.New("an image has neither bytes nor an address")
		}
	}
	return image
}
