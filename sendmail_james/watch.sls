# Salt's schedule checks this host and tells Prometheus (a textfile) and Salt (an event) how it is, as far as pillar watch
# asks for it; what it no longer asks for goes. Without pillar watch nothing to do.
include:
  - sendmail_james.package

This host is watched as the pillar says:
  sendmail_james.watched:
    - require:
      - sendmail_james: Sendmail is installed and no other MTA is
