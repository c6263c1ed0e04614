package backend

// Task is what is asked of a model, named by its modalities.
type Task string

// The tasks of the user guide.
const (
	TextToText       Task = "text-to-text"
	ImageTextToText  Task = "image-text-to-text"
	TextToEmbeddings Task = "text-to-embeddings"
	ImageToEmbedding Task = "image-to-embeddings"
	TextToRerank     Task = "text-to-rerank"
	TextToImage      Task = "text-to-image"
	TextToSpeech     Task = "text-to-speech"
)

// Tasks lists all tasks in the order in which they are shown.
func Tasks() []Task {
	return []Task{TextToText, ImageTextToText, TextToEmbeddings, ImageToEmbedding, TextToRerank, TextToImage, TextToSpeech}
}

// Kind is the form that a request of a task takes.
type Kind string

// The kinds of requests; each has its struct in Request.
const (
	KindChat       Kind = "chat"
	KindCompletion Kind = "completion"
	KindEmbed      Kind = "embed"
	KindRerank     Kind = "rerank"
	KindImage      Kind = "image"
	KindSpeech     Kind = "speech"
)

// Streaming says whether a backend streams the answers of a task.
type Streaming string

// How a task's answers may come.
const (
	StreamingNo       Streaming = "no"
	StreamingYes      Streaming = "yes"      // always
	StreamingOptional Streaming = "optional" // as Chat.Stream says
)

// Need says whether the user must give something.
type Need string

// The words of the description.
const (
	Required Need = "required"
	Optional Need = "optional"
	Unused   Need = "unused"
)

// Capability is a word for something a backend can do beyond the minimum.
// Readers ignore words that they do not know.
type Capability string

// The capabilities of contract v1.
const (
	CanProbe           Capability = "probe"              // implements Prober
	CanCancel          Capability = "cancel"             // Do returns soon after its context ends
	CanFixOutputLength Capability = "fix-output-length"  // honours Request.FixOutputLength
	CanStick           Capability = "sticky-connections" // honours ConnectionKey and FreshConnection
)
