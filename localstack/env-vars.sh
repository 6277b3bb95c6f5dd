#!/usr/bin/env bash
# Prints the variables of the deployed functions, as `sam local --env-vars` takes them.
#
#   localstack/env-vars.sh [ENDPOINT]
#
# ENDPOINT is where a function in a container finds LocalStack. By default this machine, by the name that
# sam-local.sh gives it there. LOG_LEVEL, if it is set, is the functions'.
set -euo pipefail
cd "$(dirname "$0")/.."
. localstack/environment.sh
endpoint=${1:-http://host.docker.internal:${AWS_ENDPOINT_URL##*:}}
{
    localstack cloudformation list-stack-resources --stack-name "$stack" --output json
    localstack lambda list-functions --output json
} | jq --slurp --arg endpoint "$endpoint" --arg level "${LOG_LEVEL:-}" '
    (.[1].Functions | map({(.FunctionName): .Environment.Variables}) | add) as $variables
    | [.[0].StackResourceSummaries[] | select(.ResourceType == "AWS::Lambda::Function")
        | {(.LogicalResourceId): ($variables[.PhysicalResourceId] + {AWS_ENDPOINT_URL: $endpoint}
            + if $level == "" then {} else {LOG_LEVEL: $level} end)}]
    | add'
