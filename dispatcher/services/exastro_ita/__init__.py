"""Exastro IT Automation: menus and their records, conductors and their runs, over the services of the core."""
