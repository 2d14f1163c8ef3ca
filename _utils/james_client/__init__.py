"""Turn a host's sendmail into a client of its Apache James server.

Placeholder of the map.
"""
