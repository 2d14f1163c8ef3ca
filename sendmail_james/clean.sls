# The way back: what is ours is taken out of every file, what is others' stays, and sendmail runs with that.
All files are as they were before James:
  sendmail_james.restored
