# One restart at the end, where something went live; the queue runners live and start at boot; each step brings this.
include:
  - sendmail_james.live

The queue runners work with the live configuration:
  sendmail_james.running:
    - require:
      - sendmail_james: The configuration is proved and live
