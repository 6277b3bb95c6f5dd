#!/usr/bin/env bash
# Rehearses on a deployed stack what production must do: bookings settle, also those of an outage of billing; money
# comes back; no message is dead-lettered. It prints how fast the stack was and what the rehearsal has cost.
#
#   acceptance/rehearse.sh [--bookings N] [--until-alarm] [--email ADDRESS] STACK
#
# --bookings N       how many bookings are timed; 30 by default
# --until-alarm      billing stays stopped until one of the stack's alarms fires; fails after 20 minutes
# --email ADDRESS    where the mails go; SES's mailbox simulator by default. Another gets MailsPerHour of them at once
# AWS_ENDPOINT_URL   LocalStack; AWS itself if it is not set
#
# It pays with test cards, so the provider must be `simulated`, or Stripe with a test key. It leaves the stack as it was:
# it cancels its bookings, and always starts billing again. Exit 0 if everything holds. Needs aws, curl, jq.
set -euo pipefail

usage() { sed -n 's/^#   \(acceptance.*\)/usage: \1/p' "$0" >&2; exit 2; }
bookings=30 until_alarm=no email=success@simulator.amazonses.com stack=
while [ $# -gt 0 ]; do
    case $1 in
        --bookings | --email)
            [ $# -ge 2 ] || usage
            if [ "$1" = --email ]; then email=$2; else bookings=$2; fi
            shift 2 ;;
        --until-alarm) until_alarm=yes; shift ;;
        -*) usage ;;
        *) [ -z "$stack" ] || usage; stack=$1; shift ;;
    esac
done
[[ -n $stack && $bookings =~ ^[1-9][0-9]{0,3}$ ]] || usage
for tool in aws curl jq; do command -v $tool >/dev/null || { echo "$tool is missing" >&2; exit 1; }; done

patience=180         # seconds that anything may take
accepted=() settled=() # milliseconds
declare -A tokens=()
sold=() open=()      # ids: of every booking; of those to be cancelled in the end
reads=0 cancels=0

say() { printf '%-7s %-18s %s\n' "$1" "$2" "$3"; }
ok() { say ok "$1" "$2"; }
fail() { say FAILED "$1" "$2"; exit 1; }

# The AWS command line. Some versions do not know the variable.
cloud() { aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} --output text "$@"; }
output() { jq --raw-output --arg key "$1" 'from_entries[$key] // error("no output \($key)")' <<< "$outputs"; }
field() { jq --raw-output "$1" <<< "$body"; }

# Asks the API. Sets code, body and ms: how long the answer took, without connecting.
request() { # METHOD PATH [CURL'S OPTIONS]
    local method=$1 path=$2 answer connected total
    shift 2
    answer=$(curl --silent --show-error --max-time 30 --request "$method" "$@" \
        --write-out '\n%{http_code} %{time_pretransfer} %{time_total}' "$api$path") || fail "$method $path" "no answer"
    body=${answer%$'\n'*}
    read -r code connected total <<< "${answer##*$'\n'}"
    ms=$(jq --null-input "($total - $connected) * 1000 | round")
}

# Books a seat; sets id. It must be accepted at once.
book() { # CARD [SEATS FLIGHT [KEY]]
    local order
    order=$(jq --null-input --arg card "$1" --argjson seats "${2:-1}" --arg flight "${3:-$flight}" --arg email "$email" \
        '{flight_id: $flight, $seats, payment_method: $card, passenger: {name: "Rehearsal", $email}}')
    request POST bookings --header 'Content-Type: application/json' ${4:+--header "Idempotency-Key: $4"} --data "$order"
    [ "$code" = 202 ] || fail accept "the API answers $code: $body"
    id=$(field .id)
    tokens[$id]=$(field .manage_token)
    accepted+=("$ms") sold+=("$id")
}

# Asks to cancel a booking, with its token.
cancel() { # ID
    curl --silent --show-error --max-time 30 --request DELETE --header "Authorization: Bearer ${tokens[$1]}" \
        --output /dev/null --write-out '%{http_code}' "${api}bookings/$1"
}

# Waits until a booking has that status.
becomes() { # WHAT ID STATUS
    local ends=$((SECONDS + patience))
    while :; do
        request GET "bookings/$2"
        reads=$((reads + 1))
        [ "$code" = 200 ] || fail "$1" "the API answers $code: $body"
        [ "$(field .status)" != "$3" ] || return 0
        [ "$(field .settled)" = false ] || fail "$1" "booking $2 is $(field .status), not $3"
        [ $SECONDS -lt $ends ] || fail "$1" "booking $2 is $(field .status) after $patience s, not $3"
        sleep 0.5
    done
}
# How long the last booking that was read took to settle, by its own history, in milliseconds.
took() { field '[.history[0, -1].at | (.[:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber)] | .[1] - .[0]'; }
percentile() { local p=$1; shift; printf '%s\n' "$@" | sort -n | sed -n "$((($# * p + 99) / 100))p"; }

dead_letters() {
    local queue letters=0
    for queue in $(jq --raw-output '.[] | select(.key | endswith("DeadLetterQueueUrl")).value' <<< "$outputs"); do
        letters=$((letters + $(cloud sqs get-queue-attributes --queue-url "$queue" \
            --attribute-names ApproximateNumberOfMessages --query Attributes.ApproximateNumberOfMessages)))
    done
    echo $letters
}
# `STATE NAME`, a line each.
alarms() {
    local names
    names=$(cloud cloudformation list-stack-resources --stack-name "$stack" --query \
        "StackResourceSummaries[?ResourceType=='AWS::CloudWatch::Alarm'].PhysicalResourceId")
    [ -z "$names" ] || cloud cloudwatch describe-alarms --alarm-names $names --query 'MetricAlarms[].[StateValue,AlarmName]'
}
firing() { alarms | sed -n 's/^ALARM\s//p' | paste -sd ' '; }

# Billing stops when nothing hands it its messages: they wait in the queue.
mapping_is() { [ "$(cloud lambda get-event-source-mapping --uuid "$mapping" --query State)" = "$1" ]; }
switch_billing() { # --enabled|--no-enabled STATE
    local ends=$((SECONDS + patience))
    # A mapping that changes refuses another change.
    until mapping_is "$2"; do
        [ $SECONDS -lt $ends ] || return 1
        cloud lambda update-event-source-mapping --uuid "$mapping" "$1" >/dev/null 2>&1 || true
        sleep 1
    done
}
stopped=no
leave() {
    local result=$?
    if [ $stopped = yes ]; then
        echo "billing is started again"
        switch_billing --enabled Enabled || echo "IT IS NOT. Run: aws lambda update-event-source-mapping --uuid $mapping --enabled"
    fi
    if [ $result != 0 ] && [ ${#open[@]} != 0 ]; then
        echo "its bookings are cancelled"
        for id in "${open[@]}"; do cancel "$id" || true; done
    fi
    exit $result
}
trap leave EXIT
trap 'exit 1' INT TERM

# The stack.
outputs=$(cloud cloudformation describe-stacks --stack-name "$stack" --output json \
    --query 'Stacks[0].Outputs[].{key: OutputKey, value: OutputValue}') ||
    fail stack "$stack cannot be described"
api=$(output ApiUrl)
[ -z "${AWS_ENDPOINT_URL:-}" ] || api=$AWS_ENDPOINT_URL/_aws/execute-api/$(output ApiId)/$(output Stage)/
queue=$(cloud sqs get-queue-attributes --queue-url "$(output BillingQueueUrl)" --attribute-names QueueArn --query Attributes.QueueArn)
mapping=$(cloud lambda list-event-source-mappings --event-source-arn "$queue" --query 'EventSourceMappings[0].UUID')
mapping_is Enabled || fail stack "billing's mapping $mapping is not enabled"
letters=$(dead_letters)
before=$(firing)
say "" stack "$stack, $api"
[ -z "$before" ] || say "" "alarms, before" "firing: $before"
[ "$letters" = 0 ] || say "" "dead letters" "$letters from before"

request GET flights
reads=$((reads + 1))
[ "$code" = 200 ] || fail flights "the API answers $code: $body"
flights=$body
flight=$(field 'max_by(.seats_left) | .id')
[ "$(field 'max_by(.seats_left) | .seats_left')" -gt $((bookings + 10)) ] 2>/dev/null ||
    fail flights "no flight has $((bookings + 10)) seats left: see put-flights in docs/AWS.md"

for _ in $(seq "$bookings"); do
    book pm_card_visa
    open+=("$id")
    becomes bookings "$id" confirmed
    settled+=("$(took)")
done
ok bookings "$bookings of $flight are confirmed"

key=rehearsal-$(date +%s)-$RANDOM
book pm_card_visa 1 "$flight" "$key"
first=$id
open+=("$id")
book pm_card_visa 1 "$flight" "$key"
[ "$id" = "$first" ] || fail "Idempotency-Key" "the order is booked twice, as $first and $id"
becomes "Idempotency-Key" "$id" confirmed
ok "Idempotency-Key" "the order sent again is the same booking"

book pm_card_chargeDeclined
becomes "declined card" "$id" payment_declined
ok "declined card" "payment_declined after $(took) ms"

body=$flights
scarce=$(field '[.[] | select(.seats_left < 9)] | max_by(.seats_left) | select(.) | "\(.id) \(.seats_left + 1)"')
if [ -n "$scarce" ]; then
    book pm_card_visa "${scarce#* }" "${scarce% *}"
    becomes "sold out" "$id" rejected
    [ "$(field .reason)" = sold_out ] || fail "sold out" "booking $id is rejected as $(field .reason)"
    ok "sold out" "${scarce#* } seats of ${scarce% *} are rejected after $(took) ms"
else
    say skipped "sold out" "no flight has fewer than nine seats left"
fi

# The outage.
stopped=yes
switch_billing --no-enabled Disabled || fail outage "billing's mapping is not disabled after $patience s"
say "" outage "billing is stopped"
quick=${#accepted[@]} waiting=()
for _ in 1 2 3 4 5; do
    book pm_card_visa
    waiting+=("$id")
    open+=("$id")
done
for id in "${waiting[@]}"; do becomes outage "$id" tickets_reserved; done
ok outage "5 bookings are accepted, after $(percentile 50 "${accepted[@]:quick}") ms (p50), and wait"
if [ $until_alarm = yes ]; then
    ends=$((SECONDS + 1200)) began=$SECONDS
    until [ -n "$(firing)" ] && [ "$(firing)" != "$before" ]; do
        [ $SECONDS -lt $ends ] || fail alarm "none has fired in 20 minutes"
        sleep 15
    done
    ok alarm "after $((SECONDS - began)) s: $(firing)"
fi
for id in "${waiting[@]}"; do becomes outage "$id" tickets_reserved; done
began=$SECONDS
switch_billing --enabled Enabled || fail recovery "billing's mapping is not enabled after $patience s"
stopped=no
for id in "${waiting[@]}"; do becomes recovery "$id" confirmed; done
ok recovery "5 bookings are confirmed, $((SECONDS - began)) s after billing was started"

ends=$((SECONDS + patience))
for id in "${open[@]}"; do
    until [ "$(cloud dynamodb get-item --table-name "$(output EmailsTable)" --key "{\"order_id\": {\"S\": \"$id\"}}" \
        --query 'length(Item)' 2>/dev/null || echo 0)" != 0 ]; do
        [ $SECONDS -lt $ends ] || fail mail "none for booking $id: is the sender verified, and out of SES's sandbox?"
        sleep 1
    done
done
ok mail "every confirmed booking is mailed"

for id in "${open[@]}"; do
    code=$(cancel "$id")
    [ "$code" = 202 ] || fail cancelling "the API answers $code for booking $id"
    cancels=$((cancels + 1))
done
for id in "${open[@]}"; do becomes cancelling "$id" cancelled; done
ok cancelling "${#open[@]} bookings are cancelled, their seats released, the money refunded"

now=$(dead_letters)
[ "$now" -le "$letters" ] || fail "dead letters" "$((now - letters)) more than before: see docs/AWS.md"
ok "dead letters" "none came"
say "" alarms "$(alarms | cut -f 1 | sort | uniq -c | awk '{printf "%s%s %s", sep, $1, $2; sep = ", "}')"
[ -z "$(firing)" ] || say "" alarms "firing: $(firing)"

say "" accept "p50 $(percentile 50 "${accepted[@]}") ms, p99 $(percentile 99 "${accepted[@]}") ms, of ${#accepted[@]} bookings"
say "" settle "p50 $(percentile 50 "${settled[@]}") ms, p99 $(percentile 99 "${settled[@]}") ms, of ${#settled[@]} bookings"
# docs/AWS.md, Costs: a booking in batches of 1 with its mail and logs, and a poll. A cancellation has no more steps than a booking.
say "" cost "at most \$$(jq --null-input "((${#sold[@]} + $cancels) * 123.86 + $reads * 3.89) / 10000 | ceil / 100"), by list prices: \
${#sold[@]} bookings, $cancels cancellations, $reads reads"
say PASSED "" "in $SECONDS s"
