#!/usr/bin/env bash
# Builds the stack of template.yaml for this machine's architecture, deploys it to LocalStack and
# puts flights on offer. Run again it updates.
#
#   localstack/deploy.sh [--built] [--flights FILE]
#
# --built            deploys the last build
# --flights FILE     puts these flights on offer: as `cargo run -- serve --flights` takes them
# AWS_ENDPOINT_URL   where LocalStack is; http://localhost:4566 by default
# STACK              the stack's name; bookings by default
# PUT_FLIGHTS        the program put-flights, where it is built already
#
# Its last line is `API http://HOST:PORT/_aws/execute-api/ID/STAGE`, the base of all paths.
set -euo pipefail

usage() { echo "usage: localstack/deploy.sh [--built] [--flights FILE]" >&2; exit 2; }
build=yes flights=()
while [ $# -gt 0 ]; do
    case $1 in
        --built) build=no; shift ;;
        --flights)
            [ $# -ge 2 ] || usage
            [ -r "$2" ] || { echo "the flights file $2 cannot be read" >&2; exit 1; }
            flights=("$(realpath "$2")"); shift 2 ;;
        *) usage ;;
    esac
done
cd "$(dirname "$0")/.."
. localstack/environment.sh

for tool in sam aws cargo-lambda; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: see localstack/README.md" >&2; exit 1; }
done

# Built for build time; for AWS use a plain `sam build`. Symbols would make the zips five times as large.
[ $build = no ] || SAM_BUILD_MODE=debug CARGO_PROFILE_DEV_DEBUG=none CARGO_PROFILE_DEV_STRIP=symbols \
    sam build --parameter-overrides "Architecture=$architecture"

# LocalStack sends no mail to verify an address with, and its CloudFormation knows neither identities nor configuration
# sets. The tests mail one address as often as they like.
sender=tickets@example.com
localstack ses verify-email-identity --email-address "$sender"
localstack s3 mb "s3://$stack-artifacts" 2>/dev/null || true
sam deploy --stack-name "$stack" --s3-bucket "$stack-artifacts" --capabilities CAPABILITY_IAM \
    --no-confirm-changeset --no-progressbar --no-fail-on-empty-changeset --parameter-overrides \
    "Architecture=$architecture" "EmailSender=$sender" VerifyEmailSender=no SuppressBounces=no MailsPerHour=0 \
    PaymentProvider=simulated BookingsPerClient=0 BookingsPerClientAndEmail=0 DeletionProtection=no

put_flights=("${PUT_FLIGHTS:-}")
[ -n "${PUT_FLIGHTS:-}" ] || put_flights=(cargo run --quiet --package ticket-service-lambda --bin put-flights --)
TABLE=$(output TicketsTable) "${put_flights[@]}" "${flights[@]}"
echo "API $AWS_ENDPOINT_URL/_aws/execute-api/$(output ApiId)/$(output Stage)"
