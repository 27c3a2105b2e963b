#!/bin/sh
# One command of ostro, as the variables of pipe.yml say. What is deployed where stands in ostro.hcl.
set -eu
settings=/opt/atlassian/pipelines/agent/ssh # the key and the known hosts of the repository
if [ -e "$settings/id_rsa_tmp" ]; then
  (umask 077 && mkdir -p ~/.ssh && cp "$settings/id_rsa_tmp" ~/.ssh/id_rsa && cp "$settings/known_hosts" ~/.ssh/known_hosts)
fi
# COMMAND and FLAGS are words, not one.
exec ostro ${COMMAND:-deploy} -env "${ENVIRONMENT:?is the environment of ostro.hcl}" ${FLAGS:-} ${TARGET:+"$TARGET"}
