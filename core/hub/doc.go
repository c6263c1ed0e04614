// Package hub reads models and datasets of the Hugging Face hub: from the local
// cache where they are there, else over the network and into that cache.
//
//	client, err := hub.New(hub.FromEnv(os.Getenv, home))
//	dir, err := client.TokenizerFolder(ctx, "Qwen/Qwen3-8B", "", nil)
//	path, err := client.File(ctx, hub.Dataset("squad"), "refs/convert/parquet", "plain_text/train/0000.parquet", nil)
//
// # Cache
//
// The layout is that of Python's huggingface_hub, and either reads what the
// other wrote:
//
//	models--ORG--NAME/refs/main                  the commit that "main" was, as text
//	models--ORG--NAME/snapshots/COMMIT/FILE      a relative symlink to ../../blobs/ETAG
//	models--ORG--NAME/blobs/ETAG                 the contents
//	models--ORG--NAME/blobs/ETAG.incomplete      the start of a download
//	models--ORG--NAME/.no_exist/COMMIT/FILE      the hub has no such file
//	.locks/models--ORG--NAME/ETAG.lock           who holds it (flock) downloads ETAG
//
// What is in the cache is used without a look at the network: a branch stays at
// the commit that it was at when it was first read. A file appears in blobs and
// snapshots when it is whole and verified, and a ref moves when its files are
// there, so that a kill at any time leaves a cache that can be used. Where
// symlinks cannot be made the snapshot holds copies.
//
// Locks spare a second download and no more: parallel downloads of one blob
// write the same bytes to the same places, also where a file system only
// pretends to lock, and into files of their own where it does not even do that.
//
// # Network
//
//	GET  ENDPOINT/api/{models,datasets}/NAME/revision/REVISION   commit and file names
//	HEAD ENDPOINT/[datasets/]NAME/resolve/REVISION/FILE          X-Repo-Commit, ETag, X-Linked-Etag, X-Linked-Size
//	GET  the same, or where HEAD was redirected to               the contents
//
// The wire format is that of huggingface_hub's file_download.py. The token goes
// to the endpoint's scheme, host and port and nowhere else. What may pass (429,
// 5xx, a broken or silent connection) is tried again a few times.
package hub
