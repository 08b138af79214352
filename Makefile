# SPDX-License-Identifier: GPL-2.0
#
# Plain make builds vcoal.ko; all that tests it is behind scripts/vlab.
# Products lie in the cache, one directory per kernel, never in the tree.

SHELL := /bin/sh
SERIES := 6.1 6.12 7.2
CACHE_HOME := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
export VCOAL_CACHE ?= $(CACHE_HOME)/vcoal

# KVER is a series (6.12: its newest Debian package) or an installed release;
# KDIR is any prepared kernel build directory.
RELEASE := $(or $(filter-out $(SERIES) all,$(KVER)),$(shell uname -r))
KDIR ?= /lib/modules/$(RELEASE)/build
BUILD = $(VCOAL_CACHE)/build/$(if $(filter file,$(origin KDIR)),$(RELEASE),kdir$(subst /,-,$(abspath $(KDIR))))
SOURCES := Kbuild module include
VLAB := scripts/vlab
LAB_KERNELS := $(or $(filter-out all,$(KVER)),$(SERIES))

# Checks with a Makefile of their own: the simulator and the fuzzer.
BESIDE := $(patsubst scripts/%/Makefile,%,$(wildcard scripts/sim/Makefile \
	scripts/fuzz/Makefile))

.DEFAULT_GOAL := modules
.PHONY: modules install uninstall clean help python check check-fast \
	static kunit build-matrix lab-virtio lab-xen lab-vhost lab-kvm \
	lab-debug demo bench bench-quick bench-foundation bench-xen \
	bench-kvm $(BESIDE)

ifneq ($(filter $(SERIES),$(KVER)),)
modules: python
	@$(VLAB) build $(KVER)
else
modules:
	@test -e "$(KDIR)/Makefile" || { \
		echo "No kernel headers in $(KDIR)."; \
		echo "Install them (apt-get install linux-headers-$(RELEASE)),"; \
		echo "name others (KDIR=...), or build for one of Debian's"; \
		echo "kernels: make KVER=$(firstword $(SERIES)) (or $(wordlist 2,9,$(SERIES)))."; \
		exit 1; }
	@mkdir -p "$(BUILD)"
	@cp -pR $(SOURCES) "$(BUILD)/"
	$(MAKE) -C "$(KDIR)" M="$(BUILD)" modules
	@ln -sf "$(BUILD)/vcoal.ko" vcoal.ko
	@echo "vcoal.ko -> $(BUILD)/vcoal.ko"
endif

# A module says itself which kernel it is for.
install: modules
	@set -e; \
	release=$$(modinfo -F vermagic vcoal.ko | cut -d' ' -f1); \
	test -n "$$release" || { echo "Install kmod: it has modinfo."; exit 1; }; \
	install -D -m 644 vcoal.ko \
		"$(DESTDIR)/lib/modules/$$release/updates/vcoal.ko"; \
	test -n "$(DESTDIR)" || depmod "$$release"; \
	echo "$(DESTDIR)/lib/modules/$$release/updates/vcoal.ko"

uninstall:
	@set -e; \
	for file in "$(DESTDIR)"/lib/modules/*/updates/vcoal.ko; do \
		test -e "$$file" || continue; \
		rm "$$file"; \
		echo "removed $$file"; \
		test -n "$(DESTDIR)" || depmod "$$(basename "$${file%/updates/*}")"; \
	done

clean:
	rm -rf "$(VCOAL_CACHE)/build" vcoal.ko

python:
	@command -v python3 > /dev/null || { \
		echo "# apt: install python3"; \
		as_root=$$(test "$$(id -u)" = 0 || echo "sudo -n"); \
		$$as_root apt-get update -qq && $$as_root \
			env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq python3 > /dev/null; } >&2

check check-fast static kunit bench bench-quick bench-foundation bench-xen \
bench-kvm: python
	@$(VLAB) $@

demo: python
	@$(VLAB) demo $(filter $(SERIES),$(KVER))

$(BESIDE): python
	@$(VLAB) $@

build-matrix: python
	@$(VLAB) matrix

lab-virtio: python
	@$(VLAB) virtio $(LAB_KERNELS)

lab-xen: python
	@$(VLAB) xen $(filter $(SERIES),$(KVER))

lab-vhost: python
	@$(VLAB) vhost $(filter $(SERIES),$(KVER))

lab-kvm: python
	@$(VLAB) kvm $(filter $(SERIES),$(KVER))

lab-debug: python
	@$(VLAB) debug

help:
	@echo "Build"
	@echo "  make                    vcoal.ko for the running kernel"
	@echo "  make KDIR=<dir>         ... for a prepared kernel build directory"
	@echo "  make KVER=6.12          ... for Debian's newest kernel of a series"
	@echo "                          ($(SERIES)) or an installed release"
	@echo "  make install            into /lib/modules (DESTDIR= for elsewhere)"
	@echo "  make uninstall | clean"
	@echo
	@echo "See it work"
	@echo "  make demo               a guest with traffic, before and after (KVER=6.12)"
	@echo
	@echo "Test (fetches what it needs; kept in $(VCOAL_CACHE))"
	@echo "  make check              all tests but lab-kvm; ends 'N passed, N failed'"
	@echo "  make check-fast         what takes a few minutes only"
	@echo "  make static             style and documents"
	@echo "  make build-matrix       3 kernels x 3 flavours, warnings are errors"
	@echo "  make kunit              KUnit suites in user-mode Linux"
	@echo "  make sim | fuzz         policies in simulated time, with any input"
	@echo "  make lab-virtio         guests under QEMU (KVER=6.1|6.12|7.2|all)"
	@echo "  make lab-xen            a Xen host with domains (KVER=6.1|6.12)"
	@echo "  make lab-vhost          vhost-net without a guest (KVER=6.1|6.12|7.2)"
	@echo "  make lab-kvm            a KVM host with guests (KVER=6.1|6.12|7.2)"
	@echo "                          without KVER: all, 6.12 in full"
	@echo "  make lab-debug          under KASAN, lockdep and other checkers"
	@echo "  make bench-quick        cost and delay against their targets"
	@echo "  make bench              everybody under every load (an hour)"
	@echo "  make bench-xen          a whole Xen host under every load"
	@echo "  make bench-kvm          a whole KVM host under every load"
	@echo "  make bench-foundation   what the module itself costs"
	@echo "                          (all but bench-quick write Documentation/results)"
