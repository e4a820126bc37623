# Two commands do all set-up on a fresh Debian: `make try` and `make test`.

PREFIX     ?= /usr
SYSCONFDIR ?= /etc
MANDIR     ?= $(PREFIX)/share/man
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/vendor-completions
FISH_COMPLETIONS ?= $(PREFIX)/share/fish/vendor_completions.d
DOCDIR     ?= $(PREFIX)/share/doc/login-jail
CARGO      ?= cargo
# What is shipped names no directory of the machine that built it, and is the same from whichever it was built in.
SHIPPED    := RUSTFLAGS="$(strip $(RUSTFLAGS) --remap-path-prefix=$(CURDIR)=/usr/src/login-jail \
  --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/usr/src/cargo)"
# A packager stages files below DESTDIR without being root; whose they are, the package says.
OWNER      := $(if $(filter 0,$(shell id -u)),-o root -g root)
# How jail-shell gets its power: setuid (mode 4755), or caps (file capabilities, the least set that serves).
PRIVILEGE  ?= setuid
CAPS       := cap_setuid,cap_setgid,cap_setpcap,cap_sys_chroot,cap_sys_admin,cap_mknod,cap_net_admin,cap_dac_override,cap_chown
BINARY     := $(or $(CARGO_TARGET_DIR),target)/setuid/jail-shell
JAILCTL    := $(or $(CARGO_TARGET_DIR),target)/tool/jailctl
STAND_IN   := $(or $(CARGO_TARGET_DIR),target)/tool/stand-in
# Where jailctl looks for it is part of jailctl: beside the directory that jailctl is in.
LIBEXEC    := $(PREFIX)/libexec/login-jail
MODULE     := $(or $(CARGO_TARGET_DIR),target)/module/libpam_jail.so
# Where PAM looks for its modules: below LIBDIR, which on Debian has the architecture in it.
LIBDIR     ?= $(PREFIX)/lib/$(shell $${CC:-cc} -print-multiarch 2>/dev/null)
SECURITY   := $(LIBDIR)/security
UNITS      := $(PREFIX)/lib/systemd/system
# The tools that tests and benches are built with are found without a login shell's PATH, too.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help build man try test test-vm test-long fuzz bench pictures pictures-data check install uninstall deb rpm reproducible setup clean

help:
	@printf '%s\n' 'make try         build, then watch a jailed login in a throw-away copy of this machine' \
	  'make try STAY=1  the same, and stay in her session' \
	  'make test        everything that is tested (installs what it needs by apt-get)' \
	  'make test-vm     logins on Debian 12 and 13 with systemd, in qemu (installs it by apt-get)' \
  'make test-long   make test and make test-vm, then 5,000 logins, every fault at every call, the fuzzer, and two builds compared' \
	  'make fuzz        TARGET=elf [SECONDS=60]: the fuzzer; takes cargo-fuzz and a nightly toolchain' \
	  'make bench       what a login costs, beside chroot(1) and jailkit, and SFTP beside internal-sftp' \
	  'make pictures    the pictures of the documents, from real runs; DRAW=1 draws them again from the data that is kept' \
	  'make build       build jail-shell, pam_jail.so and jailctl' \
	  'make man         write the man pages of jailctl anew' \
	  'make install     [DESTDIR=] [PREFIX=/usr] [PRIVILEGE=caps]: install it; a config is kept' \
	  'make uninstall   take it away, or say who stands in the way; the config stays' \
	  'make deb         a Debian package, in target/packages' \
	  'make rpm         [LIBDIR=/usr/lib64]: an RPM package, in target/packages' \
	  'make reproducible  build twice, in two directories, and compare'

# What building and testing take of Debian. A no-op where it is there already.
setup:
	@packaging/setup

build: setup
	$(SHIPPED) $(CARGO) build --locked --profile setuid -p jail-shell
	$(SHIPPED) $(CARGO) build --locked --profile module -p pam-module
	$(SHIPPED) $(CARGO) build --locked --profile tool -p jailctl

# The man pages of jailctl, made of its own description of its arguments.
man: build
	$(JAILCTL) man packaging/man

try: build
	@tests/try

test: build
	@tests/run

# Machines of their own, see tests/vm/README.md.
test-vm: build
	@tests/vm/run

# The machines, the soak, the full sweep of faults, two builds compared and the fuzzer as well: some hour more.
test-long: test
	@packaging/setup qemu
	$(CARGO) test --locked -p login-jail-tests -- --ignored

fuzz:
	@fuzz/run "$(TARGET)" "$(or $(SECONDS),60)"

bench: build
	$(CARGO) bench --locked -p login-jail-tests --bench login
	$(CARGO) bench --locked -p login-jail-tests --bench pam
	$(CARGO) bench --locked -p login-jail-tests --bench build
	$(CARGO) bench --locked -p login-jail-tests --bench sftp

# docs/img/*.svg, from docs/img/*.json, which are made from real runs unless DRAW=1.
pictures: $(if $(DRAW),,pictures-data)
	python3 -B tests/pictures/draw.py

pictures-data: build
	$(CARGO) bench --locked -p login-jail-tests --bench pictures

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Installs what `make build` has built. The config is kept where there is one.
install:
	@for built in $(BINARY) $(MODULE) $(JAILCTL) $(STAND_IN); do \
	  test -x $$built || { echo "install: $$built is not built; run make build" >&2; exit 1; }; done
	install -d -m 0755 $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 \
	  $(DESTDIR)$(MANDIR)/man7 \
	  $(DESTDIR)$(COMPLETIONS) $(DESTDIR)$(ZSH_COMPLETIONS) $(DESTDIR)$(FISH_COMPLETIONS)
	install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/login-jail $(DESTDIR)$(SYSCONFDIR)/login-jail/users.d
	install -d -m 0700 $(OWNER) $(DESTDIR)/var/log/login-jail
	install -D -m 0644 packaging/logrotate.d/login-jail $(DESTDIR)$(SYSCONFDIR)/logrotate.d/login-jail
ifeq ($(PRIVILEGE),caps)
	install -m 0755 $(OWNER) $(BINARY) $(DESTDIR)$(PREFIX)/bin/jail-shell
	setcap $(CAPS)=ep $(DESTDIR)$(PREFIX)/bin/jail-shell
else
	install -m 4755 $(OWNER) $(BINARY) $(DESTDIR)$(PREFIX)/bin/jail-shell
endif
	install -m 0755 $(OWNER) $(JAILCTL) $(DESTDIR)$(PREFIX)/sbin/jailctl
	install -m 0755 $(OWNER) $(STAND_IN) $(DESTDIR)$(LIBEXEC)/stand-in
	$(JAILCTL) completions bash >$(DESTDIR)$(COMPLETIONS)/jailctl
	$(JAILCTL) completions zsh >$(DESTDIR)$(ZSH_COMPLETIONS)/_jailctl
	$(JAILCTL) completions fish >$(DESTDIR)$(FISH_COMPLETIONS)/jailctl.fish
	chmod 0644 $(DESTDIR)$(COMPLETIONS)/jailctl $(DESTDIR)$(ZSH_COMPLETIONS)/_jailctl \
	  $(DESTDIR)$(FISH_COMPLETIONS)/jailctl.fish
	install -m 0644 packaging/man/jail-shell.8 packaging/man/pam_jail.8 packaging/man/jailctl*.8 $(DESTDIR)$(MANDIR)/man8/
	install -d -m 0755 $(DESTDIR)$(SECURITY) $(DESTDIR)$(DOCDIR)/pam.d $(DESTDIR)$(DOCDIR)/sshd_config.d $(DESTDIR)$(DOCDIR)/img
	install -m 0644 docs/*.md SECURITY.md CHANGELOG.md $(DESTDIR)$(DOCDIR)/
	install -d -m 0755 $(DESTDIR)$(DOCDIR)/how-to
	install -m 0644 docs/how-to/*.md $(DESTDIR)$(DOCDIR)/how-to/
	install -m 0644 docs/img/*.svg $(DESTDIR)$(DOCDIR)/img/
	install -m 0644 packaging/pam.d/* $(DESTDIR)$(DOCDIR)/pam.d/
	install -m 0644 packaging/sshd_config.d/* $(DESTDIR)$(DOCDIR)/sshd_config.d/
	install -d -m 0755 $(DESTDIR)$(DOCDIR)/selinux $(DESTDIR)$(DOCDIR)/apparmor
	install -m 0644 packaging/selinux/* $(DESTDIR)$(DOCDIR)/selinux/
	install -m 0644 packaging/apparmor/* $(DESTDIR)$(DOCDIR)/apparmor/
	install -m 0644 $(OWNER) $(MODULE) $(DESTDIR)$(SECURITY)/pam_jail.so
	# Timers and what they start. Nothing is enabled.
	install -d -m 0755 $(DESTDIR)$(UNITS)
	install -m 0644 packaging/systemd/* $(DESTDIR)$(UNITS)/
	install -m 0644 packaging/man/login-jail.toml.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 0644 packaging/man/login-jail.7 $(DESTDIR)$(MANDIR)/man7/
	@test ! -e $(DESTDIR)$(SYSCONFDIR)/login-jail/config.toml || \
	  echo 'install: $(DESTDIR)$(SYSCONFDIR)/login-jail/config.toml is there and stays as it is' >&2
	test -e $(DESTDIR)$(SYSCONFDIR)/login-jail/config.toml || \
	  install -m 0644 packaging/config.toml $(DESTDIR)$(SYSCONFDIR)/login-jail/config.toml
	@test -n "$(DESTDIR)" || lacks=$$($(JAILCTL) status --kernel) || test -z "$$lacks" || echo "install: $$lacks" >&2

# Leaves the config: a user with a rule must never find an unjailed door because a package went away.
# Before anything is removed, says whom that shuts out or lets in unjailed, and refuses until it is told to go on.
uninstall:
	@test -n "$(DESTDIR)" || LOGIN_JAIL_REMOVE='$(LOGIN_JAIL_REMOVE)' packaging/dpkg/prerm uninstall
	rm -f $(DESTDIR)$(PREFIX)/bin/jail-shell $(DESTDIR)$(PREFIX)/sbin/jailctl $(DESTDIR)$(LIBEXEC)/stand-in $(DESTDIR)$(COMPLETIONS)/jailctl \
	  $(DESTDIR)$(ZSH_COMPLETIONS)/_jailctl $(DESTDIR)$(FISH_COMPLETIONS)/jailctl.fish \
	  $(DESTDIR)$(MANDIR)/man8/jail-shell.8 $(DESTDIR)$(MANDIR)/man8/jailctl*.8 \
	  $(DESTDIR)$(DOCDIR)/*.md $(DESTDIR)$(DOCDIR)/how-to/*.md $(DESTDIR)$(DOCDIR)/img/*.svg $(DESTDIR)$(DOCDIR)/pam.d/* $(DESTDIR)$(DOCDIR)/sshd_config.d/* $(DESTDIR)$(DOCDIR)/selinux/* $(DESTDIR)$(DOCDIR)/apparmor/* $(DESTDIR)$(SECURITY)/pam_jail.so $(DESTDIR)$(MANDIR)/man8/pam_jail.8 \
	  $(DESTDIR)$(MANDIR)/man5/login-jail.toml.5 $(DESTDIR)$(MANDIR)/man7/login-jail.7
	rm -f $(DESTDIR)$(SYSCONFDIR)/logrotate.d/login-jail $(DESTDIR)$(UNITS)/login-jail-*.service $(DESTDIR)$(UNITS)/login-jail-*.timer
	@test ! -d $(DESTDIR)$(LIBEXEC) || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(LIBEXEC)
	@echo 'uninstall: $(DESTDIR)$(SYSCONFDIR)/login-jail stays; remove it yourself' >&2

# Checked by lintian in `make test`.
deb: build
	@packaging/deb

# The module goes to where rpm's distributions have it, unless LIBDIR is given on the command line.
rpm: build
	@LIBDIR=$(if $(filter command line environment,$(origin LIBDIR)),$(LIBDIR)) packaging/rpm/build

reproducible: setup
	@packaging/reproducible

clean:
	$(CARGO) clean
