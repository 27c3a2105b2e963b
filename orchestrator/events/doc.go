// Package events turns what each write to the state changed into the events of
// Nomad's event stream, keeps those of the last writes, and hands them to
// whoever follows. [Broker.Publish] is the store's commit hook: it only notes
// what happened; the first reader pays for making events of it.
//
// The package writes nothing, knows no HTTP and no clock.
package events
