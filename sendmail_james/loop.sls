# Step 3: a James that greets with this host's own name is not taken for a mail loop (mailer flag k).
include:
  - sendmail_james.package
  - sendmail_james.live
  - sendmail_james.service

Sendmail does not take James for itself:
  sendmail_james.loop_check_off:
    - require:
      - sendmail_james: Sendmail is installed and no other MTA is
    - require_in:
      - sendmail_james: The configuration is proved and live
