#!/usr/bin/env bash
# Prints the variables of the deployed functions, as `sam local invoke --env-vars` takes them.
set -euo pipefail
cd "$(dirname "$0")/.."
. localstack/environment.sh
localstack cloudformation describe-stack-resources --stack-name "$stack" \
    --query "StackResources[?ResourceType=='AWS::Lambda::Function'].[LogicalResourceId,PhysicalResourceId]" |
    while read -r resource function; do
        aws --endpoint-url "$AWS_ENDPOINT_URL" --output json lambda get-function-configuration \
            --function-name "$function" --query Environment.Variables |
            jq --arg resource "$resource" '{($resource): .}'
    done | jq --slurp add
