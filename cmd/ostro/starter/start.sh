#!/bin/sh
# What the job <% .Job %> runs. Put your program in its place, and name it in ostro.hcl.
echo "<% .Job %> of commit $COMMIT is up"
exec sleep 1000000
