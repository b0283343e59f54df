"""Setuptools reads everything from ``setup.cfg``."""

from setuptools import setup

setup()
