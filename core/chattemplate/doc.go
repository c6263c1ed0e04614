// Package chattemplate renders Hugging Face chat templates as the Python library transformers does:
// Jinja 3.1 in its immutable sandbox, with trim_blocks, lstrip_blocks, loop controls, generation
// blocks, and the functions raise_exception and strftime_now and the filter tojson of transformers.
//
// A template comes from a model's repository and is treated as hostile: a rendering is bounded in
// steps, in memory, in depth of calls and in size of output, cannot change what it is given, and
// reaches nothing outside its context. Templates that name other templates (include, import,
// extends) are refused.
//
// Language: https://jinja.palletsprojects.com/en/stable/templates/. Values follow Python: integers
// of any size, floats that print as repr() does, ordered dictionaries, strings counted in code
// points.
package chattemplate

// Bounds of one rendering. Real templates stay far below each.
const (
	maxSourceBytes   = 8 << 20  // template source
	maxNesting       = 200      // nested expressions, statements, values
	maxLinks         = 5000     // operators, filters, subscripts and calls in one tag
	maxGenerators    = 1000     // generators that feed one another
	maxCallDepth     = 150      // macros, recursive loops, callers within each other
	maxSteps         = 20 << 20 // expressions evaluated, items visited, 64-byte pieces of text moved
	maxTextBytes     = 64 << 20 // one string, and the output
	maxItems         = 4 << 20  // one list
	maxRange         = 100000   // items of range(), as Jinja's sandbox has it
	maxIntegerBits   = 1 << 16  // one integer
	maxIntegerDigits = 4300     // digits of an integer printed, as Python has it
	maxAllocated     = 1 << 30  // bytes of text and items made, in all
)
