// Package table reads rows of files in any order: text, CSV, JSON, JSON lines,
// Parquet and folders of pictures.
//
// Opening a file tells its columns. Indexing it reads it once from end to end,
// save Parquet, which has an index of its own, checks every row and remembers
// where the good ones are: two or three bytes a row, so that a file of many
// gigabytes needs a few megabytes of memory. Rows are then read from the file
// when they are asked for.
//
// A row that cannot be used is left out, and reported with its file and line.
package table
