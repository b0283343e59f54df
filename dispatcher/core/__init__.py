"""The rules: states, outcomes, parameters, team rules, permissions. No clock, no I/O, no protocol."""
