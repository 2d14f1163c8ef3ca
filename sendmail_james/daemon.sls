# Step 1: sendmail listens on no port and runs its queues, through the platform's own knobs (platforms.yaml).
include:
  - sendmail_james.package
  - sendmail_james.live
  - sendmail_james.service

Sendmail runs its queues and listens on no port:
  sendmail_james.queue_only:
    - require:
      - sendmail_james: Sendmail is installed and no other MTA is
    - require_in:
      - sendmail_james: The configuration is proved and live
