//go:build !windows && (!unix || solaris || illumos || aix)

package hub

import "os"

// tryLock: no locks here; downloads do without (see the package's comment).
func tryLock(*os.File) (locked, supported bool) { return false, false }
