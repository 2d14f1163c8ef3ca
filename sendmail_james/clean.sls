# The way back: every file is again what it was before this formula first touched it, and sendmail runs with that.
All files are as they were before James:
  sendmail_james.restored
