# Sendmail's account exists on James and may do what sendmail needs; James does what this host's aliases said, as far as
# account:aliases and account:people want it; the live configuration routes all mail to James, who knows each name that
# gets mail, in every run; with verify:live test messages show it after a change.
include:
  - sendmail_james.service

James takes mail from sendmail's account:
  sendmail_james.account_present:
    - require:
      - sendmail_james: The queue runners work with the live configuration

James knows this host's aliases:
  sendmail_james.aliases_carried:
    - require:
      - sendmail_james: James takes mail from sendmail's account

All mail reaches James:
  sendmail_james.delivers:
    - require:
      - sendmail_james: James takes mail from sendmail's account
