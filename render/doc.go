// Package render turns a job template and its variables into text.
//
// Templates are those of Levant: text/template between [[ and ]], with
// Levant's functions and argument order, all of sprig, and a few more
// (include, hclString). What differs on purpose:
//   - A missing variable is an error, with its place in the template, and all
//     of them are found in one run. It may be missing where the template asks
//     whether it is set: as the condition of if and with, and as an argument
//     of not, empty, default, coalesce, and, or.
//   - Maps of several variable files are merged deeply.
//   - Numbers keep their form, whichever file they come from, and whole
//     numbers compare with floats.
//   - loop takes every integer and numeric string, spewPrintf its arguments
//     one by one, sprigVersion none; consulKeyOrDefault gives its default when
//     Consul cannot be asked; toJson can write what comes from YAML.
//   - fileContents looks beside the template before the working directory.
//
// The package reads the template, the files it includes and the variable
// files, asks Consul only where a template does, and prints nothing. It knows
// nothing of Nomad: what the text means is for others to say, and
// [Document.Translate] tells them where in the template it comes from.
//
// A run is bounded: it ends when its context does, and neither its output
// nor a value in it grows beyond [MaxSize].
package render
