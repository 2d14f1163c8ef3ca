# The way back: what is ours is taken out of every file, what is others' stays, sendmail runs with that, and James has
# no mapping any more that was made for this host's aliases.
include:
  - sendmail_james.synced

All files are as they were before James:
  sendmail_james.restored
