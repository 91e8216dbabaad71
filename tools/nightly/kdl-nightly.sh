#!/bin/sh
# A night of one mirror for cron and SLURM: kdl-nightly.sh DATASET [OPTION ...]
#
# Ends with kdl's exit code, but with 0 in place of 1: clips remain bad, the report tells which, and the night
# itself went through. Nights do not overlap: kdl holds the mirror's lock, and a second one ends with 3.
# KDL is the command, KDL_ROOT the folder of the mirrors, KDL_TRIES how often a night is begun where the
# network fails (4), KDL_PAUSE the seconds between.
set -u

dataset=${1:?usage: kdl-nightly.sh DATASET [OPTION ...]}
shift
kdl=${KDL:-kdl}
tries=${KDL_TRIES:-3}

# Those who train come first; where a tool is not there, the night goes without.
gentle=
command -v ionice >/dev/null && gentle="ionice -c 3"
command -v nice >/dev/null && gentle="$gentle nice -n 15"

night() {
    # shellcheck disable=SC2086
    exec $gentle "$kdl" nightly "$dataset" --quiet "$@"
}

child=
stop() {
    trap - TERM INT
    [ -n "$child" ] && kill -s "$1" "$child" 2>/dev/null && wait "$child"
    exit "$2"
}
trap 'stop TERM 143' TERM
trap 'stop INT 130' INT

while :; do
    # In the background and waited for: a signal reaches this shell at once, and kdl through it.
    night "$@" &
    child=$!
    wait "$child"
    code=$?
    child=
    tries=$((tries - 1))
    { [ "$code" -eq 4 ] && [ "$tries" -gt 0 ]; } || break
    sleep "${KDL_PAUSE:-1800}" &
    child=$!
    wait "$child"
    child=
done

case $code in
    0) ;;
    1) code=0 ;; # clips remain bad: kdl has said which
    2) echo "kdl nightly $dataset: kdl.toml or an option is wrong, as said above" >&2 ;;
    3) echo "kdl nightly $dataset: this machine stands in the way, or another run has the mirror" >&2 ;;
    4) echo "kdl nightly $dataset: the network, in the last try as well" >&2 ;;
    *) echo "kdl nightly $dataset: ended with $code" >&2 ;;
esac
exit "$code"
