// Package jobdiff compares two versions of a job and describes the difference
// as Nomad's plan and history do, field by field.
//
// A job is first laid out as a tree of blocks, each with its values as text
// (layout.go, blocks.go); two trees are then compared by one set of rules
// (compare.go). What a block is called, which of its values are shown, and what
// it is matched by are facts of Nomad's API, its oddities included.
//
// The package reads and changes nothing but its arguments.
package jobdiff
