# Sendmail and the SASL plug-ins for PLAIN and LOGIN come from the platform's packages. The pillar is checked here,
# before anything is touched; another MTA is never replaced unless pillar package:replace_mta says so.
include:
  - sendmail_james.synced

Sendmail is installed and no other MTA is:
  sendmail_james.installed
