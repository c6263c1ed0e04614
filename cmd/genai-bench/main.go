// Command genai-bench measures endpoints that serve large language models.
package main

import "os"

func main() { os.Exit(run(thisSystem())) }
