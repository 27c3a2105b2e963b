// Package redact keeps secret values out of what is printed, logged and
// written to reports.
//
// A [Redactor] knows the secrets and masks them in strings and in streams;
// [SecretName] and [Secrets] decide which variables hold one. The package
// does no I/O of its own and imports nothing but the standard library.
package redact
