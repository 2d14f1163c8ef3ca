# Before the formula's modules are synced this alone is said. A highstate syncs them by itself, state.apply never does.
{% if 'sendmail_james.settings' not in salt %}
The formula's modules are not on this minion. Run salt-call saltutil.sync_all, then this again:
  test.fail_without_changes:
    - comment: nothing was looked at and nothing was changed

exclude:  # all others: what is here is s, then y
  - sls: sendmail_james.[!s]*
  - sls: sendmail_james.s[!y]*
{% endif %}
