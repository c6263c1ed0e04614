//go:build !linux

// Package timeslice asks the kernel for short and early turns on the CPU, where
// it can.
package timeslice

import (
	"context"
	"errors"
)

// Shorten does nothing here.
func Shorten() error { return nil }

// Punctual is for Linux.
func Punctual(context.Context) error { return errors.New("for Linux only") }
