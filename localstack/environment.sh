# Sourced by the scripts in this folder: settings for the LocalStack that they use.
AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://localhost:4566}
export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL%/}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
export SAM_CLI_TELEMETRY=0 SAM_CLI_POLL_DELAY=1
stack=${STACK:-bookings}

# This machine's, by Lambda's name.
case $(uname -m) in
    x86_64) architecture=x86_64 ;;
    aarch64 | arm64) architecture=arm64 ;;
    *) echo "Lambda has no $(uname -m)" >&2; exit 1 ;;
esac

# Never AWS itself: these scripts send mail, break things and empty queues.
case $AWS_ENDPOINT_URL in
    *amazonaws.com*) echo "AWS_ENDPOINT_URL must be LocalStack's" >&2; exit 1 ;;
esac

# The AWS command line on that LocalStack. Some versions ignore the variable.
localstack() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"; }

# One of the stack's outputs.
output() {
    localstack cloudformation describe-stacks --stack-name "$stack" \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}
