#!/bin/sh
# Starts nats-server for Compose and Kubernetes: start.sh [CONFIGURATION_FOLDER [STREAMS_FOLDER]].
# The services have had an account of their own since vendors have one (docs/decisions/0011). Streams of before lie in the folder of the
# account without a name; they are moved once, and only where auth.conf is of today, so that nobody's orders or submissions are left behind.
set -eu
config=${1:-/etc/nats}
streams=${2:-/data/jetstream}
account=HEADWORKS
if [ -d "$streams/\$G" ] && [ ! -e "$streams/$account" ] && grep -q "^  $account: {" "$config/auth.conf"; then
  mv "$streams/\$G" "$streams/$account"
  echo "streams moved from the account without a name to $account"
fi
exec nats-server -c "$config/nats.conf"
