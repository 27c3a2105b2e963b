// Package bench compares Ostro with its peers: each benchmark runs both side by
// side and reports the ratio of their times, below 1 where Ostro is the faster.
// A peer that is not installed is left out.
//
// It has no code of the program and may not import any: what it measures is the
// binary. Nothing here fails because of a time, which depends on the machine.
package bench
