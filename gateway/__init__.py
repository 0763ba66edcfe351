"""semgate: a semantic-cache gateway for LLM and other JSON APIs, configured by one routes file."""
