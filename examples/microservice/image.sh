#!/bin/sh
# Builds the image of the commit that is about to be deployed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-X main.commit=$OSTRO_COMMIT" -o "$folder/microservice" .
cp Dockerfile "$folder"
DOCKER_BUILDKIT=0 docker build -q -t "ostro-example-microservice:$OSTRO_COMMIT" "$folder"
