# What all of it needs is installed first; ARGS goes to pytest: make unit ARGS="-k mailer -x"
SUPPORT := tests/support

.PHONY: test lint unit integration trixie demo shell bootstrap reference release mutate campaign-kill campaign-mail campaign-watch test-releases golden test-matrix campaign-cf campaign-machine campaign-check

test: bootstrap
	@$(SUPPORT)/run_tests.py -- $(ARGS)

lint unit integration trixie: bootstrap
	@$(SUPPORT)/run_tests.py $@ -- $(ARGS)

# Each Salt and each Python; what it showed last is in README.md. CELLS: make test-matrix CELLS='"Python 3.14"'
test-matrix:
	@$(SUPPORT)/bootstrap
	@$(SUPPORT)/matrix.py $(CELLS)

# Not part of `make test`, and the first run takes long: a Debian 11, with a Python built for Salt, and testing.
RELEASES := bullseye forky
test-releases: bootstrap
	@$(SUPPORT)/bootstrap $(RELEASES:%=--release %)
	@$(SUPPORT)/run_tests.py $(RELEASES) -- $(ARGS)

# Long forms of tests that `make test` has in short; what they showed is in docs/reliability.md.
campaign-kill: TESTS = tests/unit/files/test_files_strace.py tests/integration/test_safety_kill.py \
    tests/integration/test_rotation.py
campaign-mail: TESTS = tests/integration/test_safety_james.py
campaign-machine: TESTS = tests/unit/run/test_whole_machine.py
campaign-check: TESTS = tests/integration/test_verdict_check.py
campaign-kill campaign-mail campaign-machine campaign-check: bootstrap
	@$(SUPPORT)/host with --env CAMPAIGN=1 --env SEQUENCES=1000 -- python -m pytest -v -s $(TESTS) $(ARGS)

# Not part of `make test`: it has Prometheus's packages downloaded. Alerts fire and end; promtool checks all.
campaign-watch: bootstrap
	@$(SUPPORT)/bootstrap --release bookworm --prometheus
	@$(SUPPORT)/host with --shared "$$(ls -d /var/cache/sendmail_james/prometheus/bookworm-*)" -- \
	    python -m pytest -v -s tests/integration/campaign_watch.py $(ARGS)

# FUZZ seconds of each kind by the fuzzer, after CASES by Hypothesis
CASES ?= 500
FUZZ ?= 120
ATHERIS := /var/cache/sendmail_james/atheris
campaign-cf: bootstrap
	@test -d $(ATHERIS) || python3 -m pip install --quiet --target $(ATHERIS) \
	    --python-version 3.11 --only-binary=:all: atheris==3.0.0
	@$(SUPPORT)/host with --env PYTHONPATH=$(ATHERIS) --env CAMPAIGN=$(CASES) --env FUZZ=$(FUZZ) -- \
	    python -m pytest -q -s tests/oracle/test_campaign.py $(ARGS)

# docs/reference.md, docs/troubleshooting.md and README's tables, from the code
reference: bootstrap
	@into=$$(mktemp -d) && trap 'rm -r "$$into"' EXIT && \
	$(SUPPORT)/host with --shared "$$into" -- python tools/make_reference.py /srv/shared && \
	cp "$$into/README.md" . && cp "$$into/docs/"*.md docs/

# what would be written on SUSE and FreeBSD, for tests/functional/test_golden.py
golden: bootstrap
	@$(SUPPORT)/host with --shared $(CURDIR)/tests/functional/golden --env GOLDEN=/srv/shared -- \
	    python -m pytest -q tests/functional/test_golden.py

# tags VERSION; refuses where FORMULA, CHANGELOG.md and the tags do not agree on it
release:
	@python3 tools/release.py "$(VERSION)"

demo: bootstrap
	@$(SUPPORT)/demo $(ARGS)

shell: bootstrap
	@$(SUPPORT)/host with -- bash

bootstrap:
	@$(SUPPORT)/bootstrap $(SALT:%=--salt %)

# Not part of `make test`: it takes minutes. docs/mutation.md has the last figures.
ROOM ?= cf
SAMPLE ?= 200
SEED ?= 2026
MUTATION := /var/cache/sendmail_james/mutation
mutate: bootstrap
	@test -d $(MUTATION) || python3 -m pip install --quiet --target $(MUTATION) cosmic-ray==8.7.0
	@$(SUPPORT)/host with --env PYTHONPATH=$(MUTATION) -- python tools/mutate.py $(ROOM) $(SAMPLE) $(SEED)
