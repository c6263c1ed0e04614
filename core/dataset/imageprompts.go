package dataset

import "fmt"

// What built-in prompts for pictures are put together of.
var (
	motifs = [...]string{
		"a lighthouse on a rocky coast", "an old sailing ship", "a red fox", "a street market", "a steam locomotive", "a bowl of lemons",
		"a greenhouse full of ferns", "a cellist", "a mountain hut", "two chess players", "a clockmaker's workshop", "a heron in the reeds",
		"a suspension bridge", "a sleeping cat on a windowsill", "a spiral staircase", "a field of sunflowers", "a fishing village",
		"an astronaut repairing a satellite", "a library with tall ladders", "a loaf of bread on a wooden table", "a desert caravan",
		"a paper crane", "a waterfall in a forest", "a tram in a narrow street",
	}
	lights = [...]string{
		"at dawn", "under a full moon", "in thick fog", "in the first snow", "after the rain", "in the light of a single lamp", "at noon",
		"before a thunderstorm", "in late autumn", "by candlelight", "under the northern lights", "in the blue hour",
	}
	manners = [...]string{
		"oil painting", "watercolour", "photograph, 35 mm", "woodcut in two colours", "pencil drawing", "isometric illustration",
		"stained glass", "macro photograph", "poster of the 1930s", "ink on rice paper", "clay model", "wide-angle photograph",
		"pastel on grey paper", "blueprint", "mosaic", "long exposure",
	}
)

// imagePrompts are all that can be put together.
type imagePrompts struct{}

// BuiltInImagePrompts are prompts for pictures: 4,608 different ones, of a
// motif, a light and a manner each.
func BuiltInImagePrompts() Texts { return imagePrompts{} }

func (imagePrompts) Name() string { return "built-in prompts for pictures" }

func (imagePrompts) Len() int { return len(motifs) * len(lights) * len(manners) }

func (imagePrompts) Text(i int) (string, error) {
	motif, rest := motifs[i%len(motifs)], i/len(motifs)
	return fmt.Sprintf("%s %s, %s", motif, lights[rest%len(lights)], manners[rest/len(lights)]), nil
}
