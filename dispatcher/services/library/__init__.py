"""The library: modules, projects, run books, agents and teams, read, imported and exported."""
