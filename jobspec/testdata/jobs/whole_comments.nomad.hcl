/* block
   comment */
// line
job "example" {  # trailing
  type = "batch" // too
}
