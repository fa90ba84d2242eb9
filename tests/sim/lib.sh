# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# What the scripts that run inside the simulator share: counting cases, and words for what they
# look at.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
ctl=${DCDSIMCTL:-${BUILD:-$top/build}/dcdsimctl}
tag=5be13bce-ae34-4a77-b6c3-16df975fcf1a
null=00000000-0000-0000-0000-000000000000
other=11111111-2222-3333-4444-555555555555
memory=/sys/devices/system/memory
passed=0 failed=0 skipped=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

pass() { echo "ok - $1"; passed=$((passed + 1)); }
skip() { echo "skip - $1: $2"; skipped=$((skipped + 1)); }
fail() {
	echo "FAILED - $1"
	sed 's/^/    /'
	failed=$((failed + 1))
}

finish() {
	printf '%d passed, %d failed' "$passed" "$failed"
	[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
	echo
	[ "$failed" -eq 0 ]
	exit
}

sim() { "$ctl" "$@" >"$work/sim" 2>&1 || { fail "dcdsimctl $*" <"$work/sim"; return 1; }; }

# same CASE WANTED GOT
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" < <(printf 'wanted: %s\ngot:    %s\n' "$2" "$3")
	fi
}

# within BEGIN MIN MAX: "yes" if so many seconds have gone since BEGIN.
within() {
	awk -v now="$EPOCHREALTIME" -v begin="$1" -v min="$2" -v max="$3" \
		'BEGIN { t = now - begin; if (t >= min && t <= max) print "yes"; else print t }'
}

# The state of each memory block, "absent" if there is none.
blocks() {
	local block out=
	for block; do
		out+="$block $(cat $memory/memory"$block"/state 2>/dev/null || echo absent), "
	done
	echo "${out%, }"
}

if [ -z "$DCDSIM_CONTROL" ]; then
	echo "run it inside the simulator: dcdsim -- $0" >&2
	exit 2
fi
