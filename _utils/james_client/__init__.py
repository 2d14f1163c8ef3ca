"""Turn a host's sendmail into a client of its Apache James server: the map of this package.

Each folder is a room. A module imports from its own room, from rooms below it and from the ground;
never from above, and from no other module a name that begins with an underscore.

    answers   what one can ask of a host: check, status, routes, drift, account, probe
    verdict   what is wrong with a host, cause by cause, and what cures it
    run       one run: pillar to plan, the steps, the proof, the way live, the restart
    james     talk to James: SMTP without sending, WebAdmin, sendmail's account there
    mta       talk to sendmail and m4: processes, routes, queues, the platform's knobs
    files     put files in place so that each is old or new and whole, and go back
    mc        our block in an mc, as text
    cf        a cf and its edits, as text
    wishes    what pillar and platform want, checked
    (ground)  errors, changes, scrub, scratch

``wishes``, ``cf`` and ``mc`` are pure: they open no file, start no process and know no network.
``mta``, ``james`` and ``files`` stand on one floor and don't know each other. ``_states`` and
``_modules`` are the doors; Salt itself is known to ``run.load`` alone.
"""
