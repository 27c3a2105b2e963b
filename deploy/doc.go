// Package deploy turns a parsed job into a registered one: it asks the server
// what the job would change and where it would run, refuses what cannot run,
// and registers exactly what that plan showed. The result is a [Receipt], the
// IDs by which the outcome can be followed.
//
// It may write one job (and force one periodic launch), nothing else. It does
// not render, parse, upload, wait for health, print, or decide exit codes: its
// errors are typed so that the caller can.
package deploy
