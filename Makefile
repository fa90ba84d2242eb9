# SPDX-License-Identifier: GPL-2.0-or-later
#
# One makefile for all of it. Everything built goes below $(BUILD); sources are found by folder, so
# a new file needs no line here. `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

VERSION := 0.1.0
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=

# A variant is a build folder of its own: build/ plain, build/asan, build/tsan.
BUILD ?= build
SANITIZE ?=

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config

PKGS := libsystemd libudev libcxl libdaxctl libevent inih libtracefs libtraceevent json-c zlib
CLI_PKGS := libsystemd json-c smartcols inih
SIM_PKGS := fuse3 json-c
TEST_PKGS := cmocka libsystemd json-c

CPPFLAGS_ALL := -D_GNU_SOURCE -DDCDD_VERSION='"$(VERSION)"' \
	-DDCDD_CONFIG_PATH='"$(SYSCONFDIR)/dcdd/dcdd.conf"' \
	-DDCDD_CONFIG_DIRS='"$(SYSCONFDIR)/dcdd\0/run/dcdd\0$(PREFIX)/lib/dcdd\0"' \
	-Iinclude -Idaemon -I. $(CPPFLAGS)
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE -fno-strict-overflow
HARDENING_LD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
OPT ?= -O2 -g
ifeq ($(SANITIZE),)
CPPFLAGS_ALL += -D_FORTIFY_SOURCE=2
else
SAN_FLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
CFLAGS_ALL := -std=gnu17 $(OPT) $(WARNINGS) $(HARDENING) $(SAN_FLAGS) $(CFLAGS)
LDFLAGS_ALL := $(HARDENING_LD) $(SAN_FLAGS) $(LDFLAGS)

# Looked up once, and only when something is compiled: `make help` needs no library.
pkg_cflags = $(if $(1),$(shell $(PKG_CONFIG) --cflags $(1)))
pkg_libs = $(if $(1),$(shell $(PKG_CONFIG) --libs $(1)))
ALL_CFLAGS = $(eval ALL_CFLAGS := $(call pkg_cflags,$(PKGS) $(CLI_PKGS) $(SIM_PKGS) $(TEST_PKGS)))$(ALL_CFLAGS)
DAEMON_LIBS = $(eval DAEMON_LIBS := $(call pkg_libs,$(PKGS)))$(DAEMON_LIBS)
CLI_LIBS = $(eval CLI_LIBS := $(call pkg_libs,$(CLI_PKGS)))$(CLI_LIBS)
SIM_LIBS = $(eval SIM_LIBS := $(call pkg_libs,$(SIM_PKGS)) -lpthread)$(SIM_LIBS)
TEST_LIBS = $(eval TEST_LIBS := $(call pkg_libs,$(PKGS) $(TEST_PKGS)))$(TEST_LIBS)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

UTIL_SRC := $(wildcard daemon/util/*.c)
DAEMON_SRC := $(wildcard daemon/*.c daemon/*/*.c)
DAEMON_LIB_SRC := $(filter-out daemon/main.c,$(DAEMON_SRC))
# Of the daemon dcdctl has what `policy test` needs: pure code, that reads no host.
CLI_SRC := $(wildcard cli/*.c daemon/policy/*.c daemon/snapshot/*.c) $(UTIL_SRC) \
	$(addprefix daemon/inventory/,inventory.c claims.c link.c check.c)
ENGINE_SRC := $(wildcard tests/sim/engine/*.c)
SIMCTL_SRC := tests/sim/dcdsimctl.c
SIM_SRC := $(filter-out $(SIMCTL_SRC),$(wildcard tests/sim/*.c)) $(ENGINE_SRC) $(UTIL_SRC)
SCENARIO_LIB_SRC := $(filter-out tests/scenario/test_%.c,$(wildcard tests/scenario/*.c))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
MATRIX_LIB_SRC := $(wildcard tests/matrix/matrix*.c)
# A matrix is NAME.c with its NAME_*.c; what they share is in matrix*.c.
MATRIX_NAMES := faults kill soak
MATRIX_PROGRAMS := $(patsubst %,$(BUILD)/tests/matrix/%,$(MATRIX_NAMES))
INTERPOSE := $(BUILD)/tests/libinterpose.so
SCENARIO_TESTS := $(patsubst tests/scenario/%.c,$(BUILD)/tests/scenario/%,$(wildcard tests/scenario/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

PROGRAMS := $(BUILD)/dcdd $(BUILD)/dcdctl
SIM_PROGRAMS := $(BUILD)/dcdsim $(BUILD)/dcdsimctl

# `make V=1` shows the commands, else a line for each file.
ifeq ($(V),1)
say = @:
Q :=
else
say = @printf '  %-5s %s\n'
Q := @
endif

.PHONY: all help deps demo check check-unit check-policy check-sim check-fuzz check-leaks check-faults \
	check-kill soak asan tsan lint format \
	install clean programs tests fuzzers

all: programs

help:
	@echo 'make              build dcdd and dcdctl below build/'
	@echo 'make deps         install what building and testing need (Debian, as root)'
	@echo 'make demo         the main job, watched, on a simulated host (root; runs deps)'
	@echo 'make check        all tests; ends with "N passed, N failed[, N skipped]" (root; runs deps)'
	@echo 'make check-unit   the tests that need neither root nor the simulated host'
	@echo 'make check-policy the decisions: tables of cases and a property test; prints how many'
	@echo 'make check-sim    the real daemon on the simulated host'
	@echo 'make check-fuzz   each fuzzer for FUZZ_RUNS inputs'
	@echo 'make check-leaks  1,000 releases under valgrind, and RSS over 1,000 releases'
	@echo 'make check-faults each I/O of a release fails in each way; prints a table'
	@echo 'make check-kill   the daemon is killed at each of them; SEED= ROUNDS='
	@echo 'make soak         random events, faults and restarts; SEED= ROUNDS='
	@echo 'make asan         unit and scenario tests under AddressSanitizer and UBSan'
	@echo 'make tsan         the simulator under ThreadSanitizer'
	@echo 'make lint         clang-format (check only), clang-tidy, cppcheck, shell and whitespace checks'
	@echo 'make format       reformat the sources in place'
	@echo 'make install      DESTDIR= PREFIX=/usr SYSCONFDIR=/etc'
	@echo 'make clean        remove build/'
	@echo 'Variables: CC, CFLAGS, LDFLAGS, BUILD, SANITIZE, FUZZ_RUNS, SEED, ROUNDS,'
	@echo '           ARGS (of the matrices), V=1 (show commands)'

programs: $(PROGRAMS)
tests: programs $(SIM_PROGRAMS) $(UNIT_TESTS) $(SCENARIO_TESTS) $(MATRIX_PROGRAMS) $(INTERPOSE)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS_ALL) $(ALL_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/dcdd: $(call obj,$(DAEMON_SRC))
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/dcdctl: $(call obj,$(CLI_SRC))
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CLI_LIBS)

$(BUILD)/dcdsim: $(call obj,$(SIM_SRC))
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(SIM_LIBS)

$(BUILD)/dcdsimctl: $(call obj,$(SIMCTL_SRC))
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(SIM_LIBS)

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(DAEMON_LIB_SRC) $(ENGINE_SRC))
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(TEST_LIBS)

$(BUILD)/tests/scenario/%: $(BUILD)/obj/tests/scenario/%.o $(call obj,$(SCENARIO_LIB_SRC) $(UTIL_SRC))
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(TEST_LIBS)

define matrix_program
$(BUILD)/tests/matrix/$(1): $$(call obj,$$(wildcard tests/matrix/$(1).c tests/matrix/$(1)_*.c) \
		$$(MATRIX_LIB_SRC) $$(SCENARIO_LIB_SRC) $$(UTIL_SRC))
	@mkdir -p $$(@D)
	$$(say) LD $$@
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(TEST_LIBS)
endef
$(foreach name,$(MATRIX_NAMES),$(eval $(call matrix_program,$(name))))

# Goes below a program by LD_PRELOAD, so it is position independent and has no sanitizer of its own.
$(INTERPOSE): $(wildcard tests/interpose/*.c tests/interpose/*.h) Makefile
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu17 $(OPT) $(WARNINGS) -fPIC -shared -o $@ $(filter %.c,$^) -ldl

$(BUILD)/demo: $(BUILD)/obj/tests/demo/demo.o $(call obj,$(SCENARIO_LIB_SRC) $(UTIL_SRC))
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(TEST_LIBS)

# Fuzzers are clang's own business: all sources in one go, with coverage instrumentation.
FUZZ_RUNS ?= 200000
FUZZ_FLAGS := -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
build/fuzz/%: tests/fuzz/%.c $(DAEMON_LIB_SRC) Makefile
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(Q)clang -std=gnu17 $(CPPFLAGS_ALL) $(ALL_CFLAGS) $(FUZZ_FLAGS) -o $@ $< $(DAEMON_LIB_SRC) $(TEST_LIBS)

fuzzers: $(FUZZERS)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

deps:
	tests/install-deps

demo: deps
	$(MAKE) -j2 programs $(SIM_PROGRAMS) $(BUILD)/demo
	BUILD=$(BUILD) tests/demo/run

check: deps
	BUILD=$(BUILD) tests/check all

check-unit: tests
	BUILD=$(BUILD) tests/check unit

check-policy: $(filter $(BUILD)/tests/unit/test_policy%,$(UNIT_TESTS))
	BUILD=$(BUILD) tests/check policy

check-sim: tests
	BUILD=$(BUILD) tests/check sim

check-fuzz: fuzzers
	FUZZ_RUNS=$(FUZZ_RUNS) tests/check fuzz

check-leaks: tests
	BUILD=$(BUILD) tests/check leaks

# By hand: the whole matrices, with their tables. `make check` has a smaller one of each.
SEED ?=
ROUNDS ?=
matrix_args = $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

check-faults: tests
	BUILD=$(BUILD) tests/check matrix faults $(ARGS)

check-kill: tests
	BUILD=$(BUILD) tests/check matrix kill $(matrix_args)

soak: tests
	BUILD=$(BUILD) tests/check matrix soak $(matrix_args)

asan:
	$(MAKE) BUILD=build/asan SANITIZE=address,undefined tests
	BUILD=build/asan tests/check asan

tsan:
	$(MAKE) BUILD=build/tsan SANITIZE=thread tests
	BUILD=build/tsan tests/check tsan

C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

lint:
	tests/lint $(C_FILES)

format:
	clang-format -i $(C_FILES)

install: programs
	install -D -m 0755 $(BUILD)/dcdd $(DESTDIR)$(PREFIX)/sbin/dcdd
	install -D -m 0755 $(BUILD)/dcdctl $(DESTDIR)$(PREFIX)/bin/dcdctl
	install -D -m 0644 conf/dcdd.conf $(DESTDIR)$(SYSCONFDIR)/dcdd/dcdd.conf
	install -d $(DESTDIR)$(SYSCONFDIR)/dcdd/dcdd.conf.d $(DESTDIR)$(PREFIX)/lib/dcdd/dcdd.conf.d
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/dcdd/examples conf/examples/*.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/dcdd docs/policy.md docs/snapshot.md
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/\(s\?bin/dcd\)|$(PREFIX)/\1|' systemd/dcdd.service >$(DESTDIR)$(UNITDIR)/dcdd.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/dcdd.service
	install -D -m 0644 dbus/org.dcdd1.conf $(DESTDIR)$(PREFIX)/share/dbus-1/system.d/org.dcdd1.conf
	install -D -m 0644 dbus/org.dcdd1.service $(DESTDIR)$(PREFIX)/share/dbus-1/system-services/org.dcdd1.service
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/dbus-1/interfaces dbus/org.dcdd1.*.xml
	install -D -m 0644 man/dcdd.8 $(DESTDIR)$(PREFIX)/share/man/man8/dcdd.8
	install -D -m 0644 man/dcdd.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/dcdd.conf.5
	install -D -m 0644 man/dcdctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/dcdctl.1

clean:
	rm -rf build
