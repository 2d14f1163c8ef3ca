# All of it, in order.
include:
  - sendmail_james.package
  - sendmail_james.daemon
  - sendmail_james.relay
  - sendmail_james.loop
  - sendmail_james.auth
  - sendmail_james.live
  - sendmail_james.service
  - sendmail_james.verify
  - sendmail_james.watch
