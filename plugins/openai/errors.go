package main

import "errors"

// errNotOpen is a mistake of the host: requests come after a successful Open.
var errNotOpen = errors.New("the backend was not opened")
