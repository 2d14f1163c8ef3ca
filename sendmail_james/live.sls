# What the steps prepared is proved with sendmail itself, backed up and put in place, file by file.
The configuration is proved and live:
  sendmail_james.live
