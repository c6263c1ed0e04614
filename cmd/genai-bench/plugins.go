package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/spf13/cobra"

	"github.com/genai-bench/genai-bench/core/catalog"
	"github.com/genai-bench/genai-bench/sdk"
)

func (a *app) pluginsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "the plugins of this installation",
		Long:  "Backends are plugins: programs named genai-bench-plugin-NAME in the folders below.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			printHelp(cmd, a.stderr, a.width())
			return withCode(exitUsage, "no command given (see above)")
		},
	}
	cmd.AddCommand(a.pluginsListCommand())
	return cmd
}

func (a *app) pluginsListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "what was found, where, and which backends it serves",
		Long: `List the plugins that were found.

Folders are searched in this order; the first plugin of a name wins:
  1. each --plugin-dir, as given
  2. the folders of GENAI_BENCH_PLUGIN_PATH, separated as in PATH
  3. plugins/ beside the program
  4. genai-bench/plugins in the user's data folder`,
		Example:     "  genai-bench plugins list --json",
		Args:        cobra.NoArgs,
		Annotations: map[string]string{"sift": "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.problems.Err(); err != nil {
				return err
			}
			return a.listPlugins(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringArray("plugin-dir", nil, "folder searched before all others, repeatable")
	return cmd
}

// listedPlugin is one plugin in `plugins list --json`.
type listedPlugin struct {
	Name        string           `json:"name"`
	Path        string           `json:"path"`
	FoundBy     string           `json:"found_by"`
	SHA256      string           `json:"sha256,omitempty"`
	ShadowedBy  string           `json:"shadowed_by,omitempty"`
	Error       string           `json:"error,omitempty"`
	Description *sdk.Description `json:"description,omitempty"`
}

type listedPlugins struct {
	Plugins  []listedPlugin   `json:"plugins"`
	Searched []searchedFolder `json:"searched"`
	Problems []string         `json:"problems,omitempty"`
}

type searchedFolder struct {
	Path   string `json:"path"`
	Source string `json:"source"`
}

func (a *app) listPlugins(cmd *cobra.Command, asJSON bool) error {
	found := a.plugins(cmd.Context())
	var listed listedPlugins
	for _, f := range found.Folders {
		listed.Searched = append(listed.Searched, searchedFolder{f.Path, f.Source})
	}
	for _, p := range found.Problems {
		listed.Problems = append(listed.Problems, p.Error())
	}
	for _, e := range found.Entries {
		l := listedPlugin{Name: e.Name, Path: e.Path, FoundBy: e.Folder.Source, ShadowedBy: e.ShadowedBy}
		if e.Err != nil {
			l.Error = e.Err.Error()
		} else {
			l.Description = &e.Description
		}
		if sum, err := catalog.Checksum(e.Path); err != nil {
			l.Error = strings.TrimPrefix(l.Error+"; "+fileReason(err).Error(), "; ")
		} else {
			l.SHA256 = hex.EncodeToString(sum)
		}
		listed.Plugins = append(listed.Plugins, l)
	}
	if asJSON {
		out := json.NewEncoder(a.stdout)
		out.SetIndent("", "  ")
		return out.Encode(listed)
	}
	return a.printPlugins(listed)
}

func (a *app) printPlugins(listed listedPlugins) error {
	if len(listed.Plugins) == 0 {
		fmt.Fprintln(a.stdout, "No plugins were found. Searched:")
		for _, f := range listed.Searched {
			fmt.Fprintf(a.stdout, "  %s (%s)\n", f.Path, f.Source)
		}
		fmt.Fprintln(a.stdout, "`make build` puts those of this project into bin/plugins.")
	} else if err := a.tabulatePlugins(listed.Plugins); err != nil {
		return err
	}
	for _, p := range listed.Problems {
		fmt.Fprintf(a.stderr, "warning: %s\n", p)
	}
	return nil
}

func (a *app) tabulatePlugins(plugins []listedPlugin) error {
	table := tablewriter.NewTable(a.stdout,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{Symbols: tw.NewSymbols(tw.StyleRounded)})),
		tablewriter.WithHeaderAutoFormat(tw.Off))
	table.Header("Plugin", "Version", "Backends", "Tasks", "SHA-256", "Found")
	for _, p := range plugins {
		name, checksum := p.Name, p.SHA256[:min(12, len(p.SHA256))]
		where := p.Path + "\n(" + p.FoundBy + ")"
		switch {
		case p.Error != "":
			if err := table.Append(name, "-", "unusable: "+p.Error, "", checksum, where); err != nil {
				return err
			}
			continue
		case p.ShadowedBy != "":
			where += "\nshadowed by " + p.ShadowedBy
		}
		var backends, tasks []string
		seen := map[string]bool{}
		for _, b := range p.Description.Backends() {
			backends = append(backends, b.Name)
			for _, t := range b.Tasks {
				if !seen[string(t.Task)] {
					seen[string(t.Task)] = true
					tasks = append(tasks, string(t.Task))
				}
			}
		}
		err := table.Append(name, p.Description.Plugin.Version, strings.Join(backends, "\n"), strings.Join(tasks, "\n"), checksum, where)
		if err != nil {
			return err
		}
	}
	return table.Render()
}
