"""Lets the tests of this folder share ``sources``: pytest adds no folder to the path by itself in this mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
