#!/usr/bin/env bash
# Do the guards matter? Each patch beside this file takes one guard out of the product: a condition
# of DynamoDB, a guard in SQL, a tombstone, a record before money, an owed command. This applies each
# to a scratch copy, runs the proof that its first line names, and shows which test turns red.
#
#   proofs/guards/check.sh              all of them, one after another: an hour and a half on two cores
#   proofs/guards/check.sh billing      those with that in their name
#
# Exits 1 if a guard can be missing and its proof stays green, if a patch no longer fits, or if a proof
# is red with every guard in its place.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
copy=$root/target/guards/copy
# Its own, lest a build without a guard is taken for one with it.
export CARGO_TARGET_DIR=$root/target/guards/target CARGO_INCREMENTAL=0 RUST_BACKTRACE=0

patches=("$root"/proofs/guards/*"${1:-}"*.patch)
if [ ! -e "${patches[0]}" ]; then
    echo "no guard has $1 in its name" >&2
    exit 2
fi
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --preserve=timestamps -t "$copy"
cd "$copy"
# Newer than what was built of them without a guard, last time.
sed -n 's|^--- a/||p' "$root"/proofs/guards/*.patch | sort -u | xargs touch

proof_of() { sed -n '1s/^Proof: //p' "$1"; }
# Up to the filter, so that what does not compile is not taken for a proof that turned red.
build() { ${1%% -- *} --no-run; }
run() { PROOF_SCHEDULES=3000 timeout 300 $1; }

for patch in "${patches[@]}"; do proof_of "$patch"; done | sort -u | while read -r proof; do
    if ! { build "$proof" && run "$proof"; } </dev/null >proof.log 2>&1; then
        echo "$proof is red with every guard in its place:" >&2
        tail -n 30 proof.log >&2
        exit 1
    fi
done

caught=0 missed=()
miss() {
    echo "MISSED  $1"
    missed+=("$1")
}
for patch in "${patches[@]}"; do
    guard=$(basename "$patch" .patch)
    proof=$(proof_of "$patch")
    log=$copy/$guard.log
    if ! patch --quiet --strip 1 --batch --fuzz 0 <"$patch" >"$log" 2>&1; then
        miss "$guard: the patch no longer fits"
        continue
    fi
    if ! build "$proof" >"$log" 2>&1; then
        miss "$guard: does not compile without it, see $log"
    elif run "$proof" >"$log" 2>&1; then
        miss "$guard: $proof is green without it"
    elif ! red=$(grep -m 1 -oP '^test \K.*(?= \.\.\. FAILED$)' "$log"); then
        miss "$guard: $proof ended without an answer, see $log"
    else
        echo "caught  $guard: ${proof#cargo test }: $red"
        caught=$((caught + 1))
    fi
    patch --quiet --strip 1 --reverse --batch <"$patch" >/dev/null
done

echo "${#patches[@]} guards, $caught caught, ${#missed[@]} missed"
[ ${#missed[@]} -eq 0 ]
