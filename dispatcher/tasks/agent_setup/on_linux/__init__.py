"""On Linux: what runs on the computer whose agent is set up. Its modules are sent there, and use nothing but Python."""
