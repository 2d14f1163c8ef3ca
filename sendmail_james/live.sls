# What the steps prepared is proved with sendmail itself, backed up and put in place, each file by one rename; each step brings this.
include:
  - sendmail_james.synced

The configuration is proved and live:
  sendmail_james.live
