// Package artifact takes files and a commit to an object in S3.
//
// [ResolveCommit] finds the commit and [Key] the object's key, both before anything is built, so that a
// template can name the address that [URL] gives. [Gather] lists the files and hashes them: a [Tree] knows
// its [Tree.Digest] before a byte is compressed. [Tree.Zip] writes the same bytes for the same tree on every
// system. [Bucket.Push] streams that zip into S3, and sends nothing when the same content is there already.
//
// The package never prints, never reads a template or a configuration file, and leaves nothing
// half-uploaded behind: an upload that fails or is cancelled is aborted before Push returns.
package artifact
