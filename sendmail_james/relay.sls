# Step 2: James is smart host, local relay and mail hub. Brings step 1: a sendmail that still listens would relay to
# itself.
include:
  - sendmail_james.daemon

All mail is relayed to James:
  sendmail_james.relayed:
    - require:
      - sendmail_james: Sendmail is installed and no other MTA is
    - require_in:
      - sendmail_james: The configuration is proved and live
