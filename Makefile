# What all of it needs is installed first; ARGS goes to pytest: make unit ARGS="-k mailer -x"
SUPPORT := tests/support
SALT_VERSIONS ?= 3007.14 3006.23

.PHONY: test lint unit integration trixie test-salt-versions demo shell bootstrap

test: bootstrap
	@$(SUPPORT)/run_tests.py -- $(ARGS)

lint unit integration trixie: bootstrap
	@$(SUPPORT)/run_tests.py $@ -- $(ARGS)

test-salt-versions:
	@$(SUPPORT)/bootstrap $(SALT_VERSIONS:%=--salt %)
	@for version in $(SALT_VERSIONS); do \
	    echo "Salt $$version"; \
	    SALT=$$version $(SUPPORT)/run_tests.py unit integration trixie -- $(ARGS) || exit; \
	done

demo: bootstrap
	@$(SUPPORT)/demo $(ARGS)

shell: bootstrap
	@$(SUPPORT)/host with -- bash

bootstrap:
	@$(SUPPORT)/bootstrap
