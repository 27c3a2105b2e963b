// Package blob is the S3-compatible store of the development agent: objects in a folder, served with the
// protocol of github.com/rclone/gofakes3 over a backend of our own.
//
// What a request changed is on the disk when it is answered: data and metadata are one file, written aside,
// synced and renamed. A crash leaves an object as it was before or as it is after, and never a part of it.
//
// The store knows nothing of jobs and allocations, opens no port, and checks every request's signature. It is
// for one agent on one machine: no versions, no access lists, no replication.
package blob
