"""The kit of the JSON dialects: operations that are declared once, by methods and pydantic models."""
