#!/usr/bin/env bash
# Do the guards matter? Each patch beside this file takes one guard out of the product: a condition
# of DynamoDB, a guard in SQL, a tombstone, a record before money, an owed command. This applies each
# to a scratch copy, runs the proof that its first line names, and shows how that turns red.
#
#   proofs/guards/check.sh              all of them, one after another: half an hour on two cores
#   proofs/guards/check.sh billing      those with that in their name
#
# Exits 1 if a guard can be missing and its proof stays green, or if a patch no longer fits.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
copy=$root/target/guards/copy
# Its own, lest a build without a guard is taken for one with it.
export CARGO_TARGET_DIR=$root/target/guards/target CARGO_INCREMENTAL=0 RUST_BACKTRACE=0

rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --preserve=timestamps -t "$copy"
cd "$copy"

caught=0 missed=()
for patch in "$root"/proofs/guards/*"${1:-}"*.patch; do
    guard=$(basename "$patch" .patch)
    proof=$(sed -n '1s/^Proof: //p' "$patch")
    log=$copy/$guard.log
    if ! patch --quiet --strip 1 --batch --fuzz 0 <"$patch" >"$log" 2>&1; then
        echo "MISSED  $guard: the patch no longer fits"
        missed+=("$guard")
        continue
    fi
    # Up to the filter, so that what does not compile is not taken for a proof that turned red.
    build=${proof%% -- *}
    if ! $build --no-run >"$log" 2>&1; then
        echo "MISSED  $guard: does not compile without it, see $log"
        missed+=("$guard")
    elif PROOF_SCHEDULES=3000 timeout 300 $proof >"$log" 2>&1; then
        echo "MISSED  $guard: $proof is green without it"
        missed+=("$guard")
    else
        red=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | head -1)
        echo "caught  $guard: ${proof#cargo test }: ${red:-ran for more than 300 s}"
        caught=$((caught + 1))
    fi
    patch --quiet --strip 1 --reverse --batch <"$patch" >/dev/null
done

echo "$((caught + ${#missed[@]})) guards, $caught caught, ${#missed[@]} missed"
[ ${#missed[@]} -eq 0 ]
