package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/settings"
)

// printHelp writes a command's help: what it does, an example, its flags in
// groups, and what the exit codes mean.
func printHelp(cmd *cobra.Command, out io.Writer, columns int) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(out, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(text), cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(out, "\nExample:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(out, "\nCommands:")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(out, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	if columns <= 0 || columns > 120 {
		columns = 120
	}
	groups, order := map[string]*pflag.FlagSet{}, []string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := settings.GroupOf(f)
		if name == "" {
			name = "Other"
		}
		if groups[name] == nil {
			groups[name] = pflag.NewFlagSet(name, pflag.ContinueOnError)
			groups[name].SortFlags = false
			order = append(order, name)
		}
		groups[name].AddFlag(f)
	})
	for _, name := range inReadingOrder(order) {
		heading := name
		if heading == "Other" {
			heading = "Flags"
		}
		fmt.Fprintf(out, "\n%s:\n", heading)
		groups[name].VisitAll(func(f *pflag.Flag) { printFlag(out, f, columns) })
	}
	if cmd.Annotations["exit-codes"] != "" {
		fmt.Fprintf(out, "\n%s\n", exitTable)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\nUse %q for more about a command.\n", cmd.CommandPath()+" COMMAND --help")
	}
}

// helpColumn is where the help of a flag begins.
const helpColumn = 32

// printFlag writes a flag: its name and type on the left, what it does on the
// right, below where the left is too long.
func printFlag(out io.Writer, f *pflag.Flag, columns int) {
	left := "  --" + f.Name
	help := f.Usage
	switch kind := f.Value.Type(); {
	case kind == "bool":
		if f.DefValue == "true" {
			left += "[=false]"
		}
	case kind == "stringArray":
		left += " string"
	case strings.Contains(kind, "|") && f.Name != "max-time-per-run":
		left += " string"
		help += "; one of " + strings.ReplaceAll(kind, "|", ", ")
	default:
		left += " " + kind
	}
	if d := f.DefValue; d != "" && d != "[]" && d != "false" && d != "0" && d != "0s" {
		help += fmt.Sprintf(" (default %s)", d)
	}
	if len(left) > helpColumn-2 {
		fmt.Fprintln(out, left)
		left = ""
	}
	for _, line := range wrap(help, max(columns-helpColumn, 30)) {
		fmt.Fprintf(out, "%-*s%s\n", helpColumn, left, line)
		left = ""
	}
}

// wrap breaks a text at blanks into lines of at most so many characters, where
// its words allow.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// inReadingOrder puts core's groups in their order, with a plugin's right
// after the target.
func inReadingOrder(present []string) []string {
	core := settings.Groups()
	known := map[string]bool{}
	for _, name := range core {
		known[name] = true
	}
	has := map[string]bool{}
	var others []string
	for _, name := range present {
		has[name] = true
		if !known[name] && name != "Other" {
			others = append(others, name)
		}
	}
	var order []string
	for i, name := range core {
		if has[name] {
			order = append(order, name)
		}
		if i == 0 {
			order = append(order, others...)
		}
	}
	if has["Other"] {
		order = append(order, "Other")
	}
	return order
}
