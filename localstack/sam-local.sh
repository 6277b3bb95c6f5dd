#!/usr/bin/env bash
# Runs `sam local` on the last build: functions in containers, which use the deployed stack's tables and
# queues. Run it where `sam build` ran.
#
#   localstack/sam-local.sh invoke FlightsApiFunction --event localstack/events/flights-api.json
#   localstack/sam-local.sh start-api
#
# SAM_LOCAL_HOST   this machine's address as a container sees it; by default the Docker engine knows it
set -euo pipefail
here=$(dirname "$0")
. "$here/environment.sh"
usage() { sed -n '5,6s/^# *//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage

# In a container localhost is the container itself. A port that Docker publishes on 127.0.0.1 cannot be
# reached from there either, so a LocalStack in Docker is found in its own network.
if [ -n "$(docker compose --file "$here/docker-compose.yaml" ps --quiet localstack 2>/dev/null)" ]; then
    endpoint=http://localstack:4566
    reach=(--docker-network localstack_default)
else
    endpoint=http://host.docker.internal:${AWS_ENDPOINT_URL##*:}
    reach=(--add-host "host.docker.internal:${SAM_LOCAL_HOST:-host-gateway}")
fi
variables=$(mktemp)
trap 'rm -f "$variables"' EXIT
"$here/env-vars.sh" "$endpoint" > "$variables"
# The architecture of the build: without it SAM takes the image of the template's default.
sam local "$@" --env-vars "$variables" "${reach[@]}" --parameter-overrides "Architecture=$architecture"
