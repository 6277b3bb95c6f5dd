#!/usr/bin/env bash
# Tests the stack that deploy.sh put on LocalStack: the acceptance tests of every ground, the
# contracts of what stands on AWS, and what only a deployed stack can show.
#
#   localstack/test.sh
#
# AWS_ENDPOINT_URL and STACK as for deploy.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. localstack/environment.sh
api=$AWS_ENDPOINT_URL/_aws/execute-api/$(output ApiId)/$(output Stage)

echo "== the acceptance tests, on $api"
# Of the whole workspace, as `cargo test --workspace` has built them.
BOOKING_URL=$api cargo test --workspace --test acceptance

echo "== the contracts of the stores and topics, on $AWS_ENDPOINT_URL"
cargo test --workspace --test dynamodb --test sqs_contract

echo "== the deployed stack"
ok() { echo "ok: $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# Asks again until the answer is the expected one.
until_is() { # what expected command...
    local what=$1 expected=$2 got=; shift 2
    for _ in $(seq 150); do
        got=$("$@" 2>&1) || true
        [ "$got" = "$expected" ] && return
        sleep 0.4
    done
    fail "$what: expected $expected, got $got"
}

book() { # card
    curl --silent --fail "$api/bookings" -H 'Content-Type: application/json' -d '{
        "flight_id": "OS-900", "seats": 1, "payment_method": "'"$1"'",
        "passenger": {"name": "Ada Byron", "email": "ada@example.com"}}' | jq --raw-output .id
}
status() { curl --silent --fail "$api/bookings/$1" | jq --raw-output .status; }
waiting() { # queue's URL
    localstack sqs get-queue-attributes --queue-url "$1" --attribute-names ApproximateNumberOfMessages \
        --query Attributes.ApproximateNumberOfMessages
}
# What is in a dead-letter queue: its failure in words, or the body of what was not parked.
letter() { # queue's URL
    aws --endpoint-url "$AWS_ENDPOINT_URL" --output json sqs receive-message --queue-url "$1" \
        --visibility-timeout 0 --message-attribute-names All |
        jq --raw-output '.Messages[0] | .MessageAttributes.failure.StringValue // .Body'
}
purge() { localstack sqs purge-queue --queue-url "$1"; }
mapping() { # function enabled|no-enabled
    local id
    id=$(localstack lambda list-event-source-mappings --function-name "$stack-$1" \
        --query 'EventSourceMappings[0].UUID')
    localstack lambda update-event-source-mapping --uuid "$id" "--$2" --query State >/dev/null
    local state=Enabled; [ "$2" = enabled ] || state=Disabled
    until_is "the mapping of $1" $state localstack lambda get-event-source-mapping --uuid "$id" --query State
}
arn() { localstack sqs get-queue-attributes --queue-url "$1" --attribute-names QueueArn --query Attributes.QueueArn; }

# A mail, in LocalStack's SES.
id=$(book pm_card_visa)
until_is "a booking" confirmed status "$id"
mailed() { curl --silent "$AWS_ENDPOINT_URL/_aws/ses" | jq "[.messages[] | select(.Body.text_part | contains(\"$id\"))] | length"; }
until_is "its mail" 1 mailed
ok "a confirmed booking is mailed once, by SES"

# What cannot be read is parked at once, with the reason, and blocks nothing.
for topic in Tickets OrderUpdates Billing Email; do
    letters=$(output ${topic}DeadLetterQueueUrl)
    purge "$letters"
    localstack sqs send-message --queue-url "$(output ${topic}QueueUrl)" --message-body 'not an event' >/dev/null
    until_is "the dead letters of $topic" 1 waiting "$letters"
    case $(letter "$letters") in undecodable*) ;; *) fail "$topic: $(letter "$letters")" ;; esac
    purge "$letters"
done
ok "a poison message is parked in its topic's dead-letter queue, with the reason"

letters=$(output BillingDeadLetterQueueUrl)
localstack sqs send-message --queue-url "$(output BillingQueueUrl)" --message-body '{"specversion":"1.0","id":"x",
    "source":"/booking-gateway","type":"booking.charge.v2","subject":"11111111-1111-4111-8111-111111111111",
    "time":"2026-11-22T20:00:00.000Z","data":{}}' >/dev/null
until_is "the dead letters of billing" 1 waiting "$letters"
case $(letter "$letters") in "newer version"*) ;; *) fail "$(letter "$letters")" ;; esac
purge "$letters"
ok "a message of a newer version is parked until the upgrade"

# A consumer is away: bookings are accepted, wait, and carry on.
mapping billing-consumer no-enabled
first=$(book pm_card_visa) second=$(book pm_card_chargeDeclined)
until_is "a booking without billing" tickets_reserved status "$first"
until_is "what waits for billing" 2 waiting "$(output BillingQueueUrl)"
mapping billing-consumer enabled
until_is "a booking that waited" confirmed status "$first"
until_is "a booking that waited" payment_declined status "$second"
ok "bookings wait for a disabled consumer, and go on where they stopped"

# One record of a batch fails: it alone comes again, and in the end is a dead letter; once its cause
# is gone it is moved back, and its booking settles.
updates=$(output OrderUpdatesQueueUrl) letters=$(output OrderUpdatesDeadLetterQueueUrl) orders=$(output OrdersTable)
mapping order-updates-consumer no-enabled
good=$(book pm_card_visa) bad=$(book pm_card_visa) fine=$(book pm_card_visa)
until_is "the updates" 3 waiting "$updates"
item=$(aws --endpoint-url "$AWS_ENDPOINT_URL" --output json dynamodb get-item --table-name "$orders" \
    --consistent-read --key '{"id":{"S":"'"$bad"'"}}' --query Item)
localstack dynamodb put-item --table-name "$orders" --item "$(jq '.body.S = "not an order"' <<<"$item")" >/dev/null
# So that five deliveries do not take a quarter of an hour.
localstack sqs set-queue-attributes --queue-url "$updates" --attributes VisibilityTimeout=2
mapping order-updates-consumer enabled
until_is "a booking in a batch with a failing one" confirmed status "$good"
until_is "a booking in a batch with a failing one" confirmed status "$fine"
ok "of a batch, only the record that failed is delivered again"
until_is "the dead letters of order-updates" 1 waiting "$letters"
case $(letter "$letters") in *"$bad"*) ;; *) fail "$(letter "$letters")" ;; esac
ok "what fails five times is a dead letter"
localstack dynamodb put-item --table-name "$orders" --item "$item" >/dev/null
localstack sqs set-queue-attributes --queue-url "$updates" --attributes VisibilityTimeout=180
localstack sqs start-message-move-task --source-arn "$(arn "$letters")" --destination-arn "$(arn "$updates")" >/dev/null
until_is "a redriven booking" confirmed status "$bad"
ok "a dead letter is redriven, and its booking settles"

echo "the stack holds"
