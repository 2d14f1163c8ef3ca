# Step 4: sendmail logs in to James with SMTP AUTH, for the queue and for programs. Without pillar auth nothing to do.
include:
  - sendmail_james.package
  - sendmail_james.live
  - sendmail_james.service

The credentials for James are readable by sendmail alone:
  sendmail_james.credentials:
    - require:
      - sendmail_james: Sendmail is installed and no other MTA is
    - require_in:
      - sendmail_james: The configuration is proved and live

Sendmail logs in to James:
  sendmail_james.authenticated:
    - require:
      - sendmail_james: The credentials for James are readable by sendmail alone
    - require_in:
      - sendmail_james: The configuration is proved and live
