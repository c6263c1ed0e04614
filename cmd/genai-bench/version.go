package main

// version is this program's; it is in every result.
const version = "0.1.0"
