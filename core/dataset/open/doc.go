// Package open makes a collection out of the description of a dataset: what
// --dataset-path and its columns say, or a file given by --dataset-config.
//
//	description, warnings, err := open.ReadConfig("config.json")
//	d, err := open.Open(ctx, description, open.Options{…}) // which files are it?
//	defer d.Close()
//	texts, err := d.Texts(ctx)                             // or Records, Conversations
//
// A dataset is a file, a folder of pictures, a folder in the layout of a
// repository of the Hugging Face hub, or a dataset of the hub. The latter two
// are read as Python's datasets library reads them: the configs that the README
// declares, else splits by the names of files and folders.
//
// Nothing is held in memory but where the rows are; see package table. A row
// that cannot be used is left out, counted, and named with file and line.
package open
