# A reactor on the master for the events sendmail_james/check/*: what a highstate cures, a highstate is given.
# What only a person can cure (a full disk, James himself) is left to the one who gets the alert.
{% set cured = ['no-runner', 'restart-owed'] %}
{% if data['data']['causes'] | intersect(cured) %}
Bring sendmail back to what the pillar says:
  local.state.apply:
    - tgt: {{ data['id'] }}
    - args:
        - mods: sendmail_james
{% endif %}
