"""Agent setup: what ``agent_install`` and ``agent_uninstall`` do on other computers, and how they get there."""
