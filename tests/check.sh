# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# How tests/check runs one test program, counts what it says and reports it. What is counted is in
# passed, failed and skipped; what programs wrote is kept in $LOGS.

passed=0 failed=0 skipped=0
label='' # of the variant, before each name

# Reads what a program wrote; prints "PASSED FAILED SKIPPED" and a line per skipped test with its
# reason. A closing line counts if there is one (the last of them), and its reasons are in lines that
# begin with "skip"; else cmocka's lines do. A cmocka test that was begun or announced but neither
# passed nor was skipped has failed: so setups, teardowns and crashes are counted too.
count_results() {
	awk '
	/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
		closing = 1; p = $1; f = $3; s = $5 == "" ? 0 : $5
	}
	/^ *skip( -)? / {
		line = $0
		sub(/^ *skip( -)? +/, "", line)
		noted = noted "\n" line
	}
	/\[==========\] (.*: )?Running [0-9]+ test\(s\)/ {
		match($0, /Running [0-9]+/); announced += substr($0, RSTART + 8, RLENGTH - 8)
	}
	/\[ RUN      \] / { running = 1; name = $NF; reason = "" ; next }
	/\[       OK \] / { if (running) ok++; running = 0; next }
	/\[  SKIPPED \] / {
		if (running) {
			skip++
			reasons = reasons "\n" name ": " (reason == "" ? "no reason given" : reason)
		}
		running = 0
		next
	}
	/\[  FAILED  \] / { running = 0; next }
	running && NF { reason = $0 }
	END {
		if (closing) {
			reasons = noted
		} else {
			p = ok; s = skip; f = announced - ok - skip
		}
		print p + 0, f + 0, s + 0 reasons
	}' "$1"
}

say() {
	local status=$1 name=$2 result=$3 seconds=$4

	printf '  %-5s %-34s %-27s %6s s\n' "$status" "$name" "$result" "$seconds"
}

summary() {
	local text="$1 passed"

	[[ $2 -eq 0 ]] || text+=", $2 failed"
	[[ $3 -eq 0 ]] || text+=", $3 skipped"
	echo "$text"
}

elapsed_since() {
	local ms=$((($(date +%s%N) - $1) / 1000000))

	printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

show_log() {
	local log=$1 lines

	lines=$(wc -l <"$log")
	if [[ $lines -gt 2000 ]]; then
		echo "        ($lines lines, the last 2000 of $log)"
	fi
	tail -n 2000 "$log" | sed 's/^/        /'
}

# A test program gets SIGTERM when this shell dies, so that an interrupted run leaves nothing behind;
# and SIGINT back, which a shell takes from what it starts in the background.
dies_with_us=()
if env --default-signal=INT,QUIT setpriv --pdeathsig TERM true 2>/dev/null; then
	dies_with_us=(env '--default-signal=INT,QUIT' setpriv --pdeathsig TERM)
fi

# run NAME SECONDS COMMAND...: runs one test program and adds up what it says.
run() {
	run_as output "$@"
}

# run_one NAME SECONDS COMMAND...: the same for a command whose exit status is its one result.
run_one() {
	run_as status "$@"
}

run_as() {
	local counted_by=$1
	shift

	local name=$1 limit=${CHECK_TIMEOUT:-$2} log begin status note='' p=0 f=0 s=0 first reasons=''
	shift 2

	name=$label$name
	log=$LOGS/${name//\//-}.log
	begin=$(date +%s%N)
	# In the background, so that a signal to this shell ends it at once, and the program with it.
	# The outer redirection is for the shell's own "Aborted".
	{
		"${dies_with_us[@]}" timeout --kill-after=20 "$limit" "$@" </dev/null >"$log" 2>&1 &
		wait $!
	} 2>/dev/null
	status=$?
	if [[ $counted_by == output ]]; then
		{
			read -r p f s
			reasons=$(cat)
		} < <(count_results "$log")
	elif [[ $status -eq 0 ]]; then
		p=1
	fi

	if [[ $status -eq 124 || $status -eq 137 ]]; then
		note="no end after $limit s, killed"
	elif [[ $status -eq 99 ]]; then
		note='sanitizer report'
	elif [[ $status -gt 128 ]]; then
		note="killed by signal $((status - 128))"
	elif [[ $status -ne 0 && $f -eq 0 ]]; then
		note="exit status $status"
	elif [[ $((p + f + s)) -eq 0 ]]; then
		note='ran no test'
	fi
	# However it came to a bad end, that is one failure at least.
	if [[ -n $note && $f -eq 0 ]]; then
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))

	first=ok
	[[ $p -gt 0 || $s -eq 0 ]] || first=skip
	[[ $f -eq 0 ]] || first=FAIL
	say "$first" "$name" "$(summary "$p" "$f" "$s")${note:+ ($note)}" "$(elapsed_since "$begin")"
	if [[ -n $reasons ]]; then
		printf '%s\n' "$reasons" | sort | uniq | sed 's/^/        skipped /'
	fi
	if [[ $f -gt 0 ]]; then
		show_log "$log"
	fi
}

# skip NAME REASON: a program that cannot run here counts as one skipped test.
skip() {
	skipped=$((skipped + 1))
	say skip "$label$1" "$2" 0.0
}

# fail NAME REASON: a program that should be there and is not.
fail() {
	failed=$((failed + 1))
	say FAIL "$label$1" "$2" 0.0
}

# step NAME COMMAND...: something that must merely succeed, for example a build.
step() {
	local name=$1 log begin
	shift

	log=$LOGS/${name//[\/ ]/-}.log
	begin=$(date +%s%N)
	if "$@" </dev/null >"$log" 2>&1; then
		say ok "$name" '' "$(elapsed_since "$begin")"
		return 0
	fi
	say FAIL "$name" '' "$(elapsed_since "$begin")"
	show_log "$log"
	failed=$((failed + 1))
	return 1
}
