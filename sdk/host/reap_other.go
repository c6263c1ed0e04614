//go:build !linux

package host

// reap waits for the end of the process, and kills what is left of its group.
// In the moment between, the number could be another's; but systems give
// numbers out in turn.
func (c *child) reap() {
	err := c.cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exit, c.reaped = err, true
	_ = killGroup(c.cmd.Process)
}
